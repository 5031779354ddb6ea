import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type GithubStandIn, startGithub } from '../api/source-hosts/github/github-for-tests.ts';
import { declarableResources } from '../contract/resources.ts';
import type { Workspace } from '../provider/acceptance/terraform.ts';
import { ApiError } from '../provider/client/api-error.ts';
import { type Client, createClient } from '../provider/client/client.ts';
import { hasNoBody, isObject } from '../provider/client/send.ts';
import { type Life, lives } from './terraform-lives.ts';
import { explains, startTerraformSetting, succeeds, type TerraformSetting } from './terraform-setting.ts';

// In the shape of the acceptance tests that providers in Go have: the real Terraform, the real API, each resource's whole life.
// For all lives together, on a machine that is busy too; each has the runner's own limit.
const signal = AbortSignal.timeout(1_500_000);
// With what there is one of, all else would be destroyed: terraform-team.test.ts.
const types = declarableResources
  .filter(({ isSingle }) => !isSingle)
  .map(({ name, path }) => ({ type: `ebb_${name}`, path }));
let root: string;
let github: GithubStandIn;
let setting: TerraformSetting;
let client: Client;

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'ebb-life-'));
  github = await startGithub(root);
  setting = await startTerraformSetting(signal);
  setting.makeRepositories('shop', 'store');
  const { url: endpoint, adminKey: apiKey } = setting.api;
  client = createClient({ endpoint, apiKey, userAgent: 'test', signal });
});
after(async () => {
  await setting?.close();
  await github?.close();
  await rm(root, { recursive: true, force: true });
  assert.deepEqual(github.violations, []);
});

for (const { type, path } of types) {
  test(`${type} is made, stays, changes, is imported, repaired, replaced and destroyed`, async () => {
    const life = lives(github).find((one) => one.type === type);
    assert.ok(life, 'every resource has a life to be shown');
    await liveThrough(life, path, await setting.workspace());
  });
}

const noChanges = 0;
const changes = 2;

async function liveThrough(life: Life, path: string, workspace: Workspace): Promise<void> {
  const address = `${life.type}.it`;
  const itemOf = async (id: unknown): Promise<Record<string, unknown>> =>
    JSON.parse((await client.request({ method: 'GET', path: `${path}/${id}`, isAnswer: isObject })).text);
  const plan = async (expected: number) => {
    const { code, output } = await workspace.terraform('plan', '-detailed-exitcode', '-no-color');
    assert.equal(code, expected, output);
    return output;
  };
  const becomes = async (configuration: string) => {
    await workspace.write(configuration);
    await succeeds(workspace, 'apply', '-auto-approve');
    await plan(noChanges);
    return await stateOf(workspace, address);
  };

  const made = await becomes(life.made);
  assert.partialDeepStrictEqual(await itemOf(made.id), life.madeAtApi);

  await workspace.write(`${life.made}
data "${life.type}" "by_id" {
  id = ${address}.id
}
data "${life.type}" "by_name" {
  natural_id = "${life.importId(made)}"
  depends_on = [${address}]
}
`);
  await succeeds(workspace, 'apply', '-auto-approve');
  for (const name of ['by_id', 'by_name']) {
    const { natural_id: _, ...read } = await stateOf(workspace, `data.${life.type}.${name}`);
    assert.partialDeepStrictEqual(made, read, name);
  }

  const changed = await becomes(life.changed);
  assert.equal(changed.id, made.id, 'it is changed in place');
  assert.partialDeepStrictEqual(await itemOf(made.id), life.changedAtApi);
  for (const name of life.renewed ?? []) assert.notEqual(changed[name], made[name], name);

  await succeeds(workspace, 'state', 'rm', address);
  await succeeds(workspace, 'import', address, life.importId(changed));
  assert.deepEqual(withoutVersions(await stateOf(workspace, address)), withoutVersions(changed));
  await becomes(life.changed);

  await client.request({
    ...{ method: 'PATCH', path: `${path}/${made.id}`, body: JSON.stringify(life.drift), isAnswer: isObject },
  });
  assert.match(await plan(changes), new RegExp(`${address} will be updated in-place`));
  await becomes(life.changed);
  assert.partialDeepStrictEqual(await itemOf(made.id), life.changedAtApi);

  const replaced = await becomes(life.replaced);
  assert.notEqual(replaced.id, made.id, 'another one takes its place');
  await isGone(() => itemOf(made.id));

  await client.request({ method: 'DELETE', path: `${path}/${replaced.id}`, isAnswer: hasNoBody });
  assert.match(await plan(changes), new RegExp(`${address} will be created`));
  await becomes(life.replaced);

  const { id } = await stateOf(workspace, address);
  await succeeds(workspace, 'destroy', '-auto-approve');
  await isGone(() => itemOf(id));
}

async function isGone(read: () => Promise<unknown>): Promise<void> {
  await assert.rejects(read(), (error) => error instanceof ApiError && error.status === 404);
}

async function stateOf(workspace: Workspace, address: string): Promise<Record<string, unknown>> {
  const shown = JSON.parse(await succeeds(workspace, 'show', '-json'));
  const all: { address: string; values: Record<string, unknown> }[] = shown.values.root_module.resources;
  return all.find((one) => one.address === address)?.values ?? assert.fail(`${address} is in no state`);
}

/** Versions of write-only values are Terraform's own: an import does not know them. */
function withoutVersions(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => !name.endsWith('_wo_version')));
}

test('what does not exist cannot be imported, and the message tells how an id looks', async () => {
  const workspace = await setting.workspace();
  for (const { type, made } of lives(github)) {
    await workspace.write(made);
    const told = await explains(workspace, 'import', `${type}.it`, 'a/b/c/d');
    assert.match(told, /"a\/b\/c\/d" names no .*Import it by its id or as team\//);
  }
});
