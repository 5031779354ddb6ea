import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FakeApi } from './fake-api.ts';
import { problem } from './fake-resources.ts';
import { createSetting, projectConfiguration } from './setting.ts';
import type { Workspace } from './terraform.ts';

const noChanges = 0;
const changes = 2;

async function plan(workspace: Workspace) {
  return workspace.terraform('plan', '-detailed-exitcode', '-no-color');
}

async function apply(workspace: Workspace, configuration: string) {
  await workspace.write(configuration);
  const { code, output } = await workspace.terraform('apply', '-auto-approve', '-no-color');
  assert.equal(code, 0, output);
  return output;
}

function project(api: FakeApi) {
  const found = [...api.items.values()].find(({ id }) => id.startsWith('prj_'));
  assert.ok(found);
  return found;
}

test('a project is made, stays as it is, changes in place, is replaced and destroyed', async (t) => {
  const { api, workspace } = await createSetting(t);
  await apply(
    workspace,
    projectConfiguration('  name = "shop"\n  test = ["make"]\n  environment = { A = "1", B = "2" }'),
  );
  const first = project(api).id;
  assert.partialDeepStrictEqual(project(api), {
    test: ['make'],
    timeout_minutes: 60,
    default_branch: 'main',
  });
  assert.equal((await plan(workspace)).code, noChanges);

  await apply(workspace, projectConfiguration('  name = "shop"\n  environment = { A = "1" }'));
  assert.equal(api.requests.at(-1), `PATCH /v1/projects/${first} {"test":[],"environment":{"A":"1"}}`);
  assert.equal(project(api).id, first);

  await apply(workspace, projectConfiguration('  name = "store"'));
  assert.notEqual(project(api).id, first);
  assert.equal(project(api).name, 'store');

  const { code, output } = await workspace.terraform('destroy', '-auto-approve', '-no-color');
  assert.equal(code, 0, output);
  assert.equal(api.items.size, 0);
});

test('what others changed is shown and put right, and what they deleted is made anew', async (t) => {
  const { api, workspace } = await createSetting(t);
  await apply(workspace, projectConfiguration('  name = "shop"\n  timeout_minutes = 30'));
  const { id } = project(api);
  project(api).timeout_minutes = 90;
  const drifted = await plan(workspace);
  assert.equal(drifted.code, changes);
  assert.match(drifted.output, /timeout_minutes += 90 -> 30/);
  const configuration = projectConfiguration('  name = "shop"\n  timeout_minutes = 30');
  await apply(workspace, configuration);
  assert.equal(project(api).timeout_minutes, 30);

  api.items.delete(id);
  assert.match(await apply(workspace, configuration), /1 added, 0 changed, 0 destroyed/);
  assert.notEqual(project(api).id, id);
});

test('a change made between plan and apply is not overwritten', async (t) => {
  const { api, workspace } = await createSetting(t);
  await apply(workspace, projectConfiguration('  name = "shop"'));
  await workspace.write(projectConfiguration('  name = "shop"\n  timeout_minutes = 30'));
  const planned = await workspace.terraform('plan', '-out=saved', '-no-color');
  assert.equal(planned.code, 0, planned.output);
  project(api).timeout_minutes = 90;
  const applied = await workspace.terraform('apply', '-no-color', 'saved');
  assert.equal(applied.code, 1);
  assert.match(applied.output, /was changed or deleted by somebody else\s+since the plan was made/);
  assert.equal(project(api).timeout_minutes, 90);
});

test('what is gone already counts as destroyed; a deletion that takes time is waited for, and its receipt told', async (t) => {
  const { api, workspace } = await createSetting(t);
  await apply(workspace, projectConfiguration('  name = "shop"'));
  const { id } = project(api);
  const path = new RegExp(`DELETE /v1/projects/${id}`);
  api.interfere(path, { status: 202 }, { status: 202 });
  api.interfere(path, { status: 204, headers: { 'ebb-receipt': 'rct_1' } });
  api.interfere(/DELETE \/v1\/connections/, problem(404, 'It is gone.'));
  const { code, output } = await workspace.terraform('destroy', '-auto-approve', '-no-color');
  assert.equal(code, 0, output);
  assert.equal(api.requests.filter((line) => path.test(line)).length, 3);
  assert.match(output, /Warning: The project prj_\w+ is revoked[\s\S]*Its signed receipt is rct_1/);
});

test('an interrupted server is waited for', async (t) => {
  const { api, workspace } = await createSetting(t);
  api.interfere(/POST \/v1\/connections/, { status: 503, headers: { 'retry-after': '0' } });
  const output = await apply(workspace, projectConfiguration('  name = "shop"'));
  assert.match(output, /2 added/);
});
