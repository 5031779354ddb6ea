import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { declarableResources } from '../../contract/resources.ts';
import type { Item } from './fake-resources.ts';
import { createSetting } from './setting.ts';

// Written by the provider as it was when a deploy key had `rotation`, and nothing had `timeouts`.
const olderState = new URL('state-before-rotate-when.json', import.meta.url);

const configuration = `
resource "ebb_connection" "local" {
  name = "local"
  kind = "local"
}
resource "ebb_project" "shop" {
  connection_id = ebb_connection.local.id
  name          = "shop"
  repository    = "shop"
  test          = ["./test.sh"]
  deploy        = [{ branch = "main", commands = ["./deploy.sh"] }]
  environment   = { REGION = "eu" }
}
resource "ebb_deploy_key" "shop" {
  project_id  = ebb_project.shop.id
  rotate_when = { rotation = "2026-11" }
}
resource "ebb_hook_binding" "shop" {
  project_id = ebb_project.shop.id
  branches   = ["main", "release/*"]
}
resource "ebb_secret" "token" {
  project_id       = ebb_project.shop.id
  name             = "TOKEN"
  value_wo         = "x"
  value_wo_version = 1
}
resource "ebb_access_grant" "support" {
  project_id = ebb_project.shop.id
  ends_at    = "2026-11-02T12:00:00Z"
  reason     = "A build hangs."
  scope      = ["logs"]
  notify     = ["ada@example.com"]
}
`;

/** What the API has of it, now that a key's \`rotation\` has become \`rotate_when\` and a project has attributes more. */
function itemOf({ type, instances }: StoredResource): Item {
  const resource = declarableResources.find(({ name }) => type === `ebb_${name}`);
  const stored: Record<string, unknown> = instances[0]?.attributes ?? {};
  const known = Object.keys({ ...resource?.computed, ...resource?.fixed, ...resource?.changeable });
  const kept = known.map((name) => [name, stored[name]]).filter(([, value]) => value != null);
  return { ...Object.fromEntries(kept), ...newerThanState(resource?.name, stored) } as Item;
}

function newerThanState(name: string | undefined, stored: Record<string, unknown>): object {
  if (name === 'deploy_key') return { made_by: 'ebb', rotate_when: { rotation: stored.rotation } };
  return name === 'project' ? { cancel_intermediate_builds: 'none' } : {};
}

interface StoredResource {
  type: string;
  instances: { schema_version: number; attributes: Record<string, unknown> }[];
}

test('state of an older provider is brought up to date, and plans no change', async (t) => {
  const { api, workspace } = await createSetting(t);
  const text = await readFile(olderState, 'utf8');
  const stored: StoredResource[] = JSON.parse(text).resources;
  // Those that there were then.
  assert.equal(stored.length, 6);
  for (const item of stored.map(itemOf)) api.items.set(item.id, item);
  await writeFile(join(workspace.folder, 'terraform.tfstate'), text);
  await workspace.write(configuration);
  const planned = await workspace.terraform('plan', '-detailed-exitcode', '-no-color');
  assert.equal(planned.code, 0, planned.output);

  await workspace.write(configuration.replace('"2026-11" }', '"2026-12" }'));
  const rotated = await workspace.terraform('apply', '-auto-approve', '-no-color');
  assert.equal(rotated.code, 0, rotated.output);
  assert.ok(
    api.requests.some((line) => /^PATCH \S+ \{"rotate_when":\{"rotation":"2026-12"\}\}$/.test(line)),
    'the key is rotated once a word is another',
  );
  const { resources }: { resources: StoredResource[] } = JSON.parse(
    String(await workspace.read('terraform.tfstate')),
  );
  const key = resources.find(({ type }) => type === 'ebb_deploy_key')?.instances[0];
  assert.equal(key?.schema_version, 1);
});

test('state of a newer provider is refused with what to do', async (t) => {
  const { workspace } = await createSetting(t);
  const text = await readFile(olderState, 'utf8');
  const newer = text.replaceAll('"schema_version": 0', '"schema_version": 9');
  await writeFile(join(workspace.folder, 'terraform.tfstate'), newer);
  await workspace.write(configuration);
  const { code, output } = await workspace.terraform('plan', '-no-color');
  assert.equal(code, 1);
  assert.match(output, /newer (provider|version)/);
});
