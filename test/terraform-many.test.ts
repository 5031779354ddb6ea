import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Workspace } from '../provider/acceptance/terraform.ts';
import {
  projectNames,
  projectsConfiguration,
  startTerraformSetting,
  succeeds,
  type TerraformSetting,
} from './terraform-setting.ts';

const count = 50;
const atOnce = '-parallelism=50';
const names = projectNames(count);
let setting: TerraformSetting;
let workspace: Workspace;

before(async () => {
  setting = await startTerraformSetting(AbortSignal.timeout(300_000));
  setting.makeRepositories(...names);
  workspace = await setting.workspace();
  await workspace.write(projectsConfiguration(count));
});

after(() => setting?.close());

/** How many keys and hooks each repository has at the source host. */
async function atSourceHost(): Promise<[number, number][]> {
  const states = names.map(async (name): Promise<[number, number]> => {
    const file = join(setting.api.repositories, `${name}.git`, 'ebb', 'state.json');
    const { deployKeys, hooks } = JSON.parse(await readFile(file, 'utf8'));
    return [deployKeys.length, hooks.length];
  });
  return await Promise.all(states);
}

test('201 resources are made 50 at once, each once, and then nothing is left to do', async () => {
  const output = await succeeds(workspace, 'apply', '-auto-approve', atOnce);
  assert.match(output, /201 added, 0 changed, 0 destroyed/);
  await succeeds(workspace, 'plan', '-detailed-exitcode', atOnce);
  for (const pair of await atSourceHost()) assert.deepEqual(pair, [1, 1]);
});

test('they are destroyed 50 at once, and nothing of them is left at Ebb and at the source host', async () => {
  await succeeds(workspace, 'destroy', '-auto-approve', atOnce);
  for (const path of ['connections', 'projects', 'deploy-keys', 'hook-bindings', 'secrets']) {
    const { items } = await setting.api.client.get<{ items: unknown[] }>(`/v1/${path}?limit=200`);
    assert.deepEqual(items, [], path);
  }
  for (const pair of await atSourceHost()) assert.deepEqual(pair, [0, 0]);
});
