import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { dump, openSetting, type Setting } from '../revocation/test-setting.ts';
import { SourceHostError } from '../source-hosts/errors.ts';

let setting: Setting;
let team: Awaited<ReturnType<Setting['addTeam']>>;
let projectId: string;
let count = 0;
const signal = () => AbortSignal.timeout(20_000);
const repository = () => `shop-${count}`;

before(async () => {
  setting = await openSetting();
  team = await setting.addTeam('acme');
});
after(() => setting.close());
beforeEach(async () => {
  count += 1;
  delete setting.fault.before;
  delete setting.fault.after;
  projectId = await setting.addProject(team, repository());
});

const create = (more: object = {}) =>
  setting.call(team.token, 'POST', '/v1/hook-bindings', { project_id: projectId, ...more });
const row = () =>
  setting.context.database
    .selectFrom('hook_binding')
    .selectAll()
    .where('project_id', '=', projectId)
    .executeTakeFirst();
const atHost = (id: string) => setting.host.findHook(repository(), id, signal());

test('a new hook is at the source host for pushes, and its secret is in no row', async () => {
  const { status, body } = await create();
  assert.equal(status, 201);
  assert.deepEqual(body.branches, ['**']);
  assert.equal(body.url, `http://ebb.test/v1/hooks/${body.id}`);
  const hosted = await atHost(body.source_host_id);
  assert.equal(hosted?.url, body.url);
  assert.deepEqual(hosted?.events, ['push']);
  const secret = setting.context.custody.hookSecret(body.id);
  const everything = await dump(setting.context);
  for (const encoding of ['hex', 'base64', 'base64url'] as const) {
    assert.ok(!everything.includes(secret.toString(encoding)), encoding);
  }
});

test('a second hook is refused with the way to import the first', async () => {
  await create();
  const { status, body } = await create();
  assert.equal(status, 409);
  assert.equal(body.code, 'hook_binding_exists');
});

test('branches change in place; null restores the default; a stale ETag changes nothing', async () => {
  const made = await create({ branches: ['main'] });
  const path = `/v1/hook-bindings/${made.body.id}`;
  const changed = await setting.call(team.token, 'PATCH', path, { branches: ['main', 'release/*'] });
  assert.deepEqual(changed.body.branches, ['main', 'release/*']);
  assert.notEqual(changed.headers.etag, made.headers.etag);
  const stale = { 'if-match': String(made.headers.etag) };
  const refused = await setting.call(team.token, 'PATCH', path, { branches: ['x'] }, stale);
  assert.equal(refused.status, 412);
  assert.deepEqual((await row())?.branches, ['main', 'release/*']);
  const restored = await setting.call(team.token, 'PATCH', path, { branches: null });
  assert.deepEqual(restored.body.branches, ['**']);
  assert.deepEqual((await setting.call(team.token, 'GET', path)).body, restored.body);
});

for (const code of ['timeout', 'unreachable'] as const) {
  test(`a hook that was added when the answer got lost (${code}) is completed by the next request`, async () => {
    setting.fault.after = (method) => {
      if (method === 'addHook') throw new SourceHostError(code, 'The answer was lost.');
    };
    assert.equal((await create()).status, 503);
    const pending = await row();
    assert.equal(pending?.source_host_id, null);
    delete setting.fault.after;
    const { status, body } = await create({ branches: ['next'] });
    assert.equal(status, 201);
    assert.equal(body.id, pending?.id);
    assert.deepEqual(body.branches, ['next']);
  });
}

test('when the source host refuses, the caller is told and nothing stays', async () => {
  setting.fault.before = (method) => {
    if (method === 'addHook') throw new SourceHostError('refused', 'No hooks here.');
  };
  const { status, body } = await create();
  assert.equal(status, 422);
  assert.equal(body.detail, 'No hooks here.');
  assert.equal(await row(), undefined);
});

test('a hook that was deleted at the source host is 404, and a new one takes its place', async () => {
  const first = (await create()).body;
  await setting.host.removeHook(repository(), first.source_host_id, signal());
  assert.equal((await setting.call(team.token, 'GET', `/v1/hook-bindings/${first.id}`)).status, 404);
  const second = await create();
  assert.equal(second.status, 201);
  assert.notEqual(second.body.id, first.id);
});

test('deleting removes the hook at the source host, and deleting again is 404', async () => {
  const { body } = await create();
  assert.equal((await setting.call(team.token, 'DELETE', `/v1/hook-bindings/${body.id}`)).status, 204);
  assert.equal(await atHost(body.source_host_id), undefined);
  assert.equal((await setting.call(team.token, 'DELETE', `/v1/hook-bindings/${body.id}`)).status, 404);
});

test('another team sees no hook, whatever it asks', async () => {
  const { body } = await create();
  const other = await setting.addTeam(`other-${count}`);
  const path = `/v1/hook-bindings/${body.id}`;
  assert.equal((await setting.call(other.token, 'GET', path)).status, 404);
  assert.equal((await setting.call(other.token, 'PATCH', path, { branches: ['main'] })).status, 404);
  assert.equal((await setting.call(other.token, 'DELETE', path)).status, 404);
  const list = `/v1/hook-bindings?natural_id=acme/${repository()}`;
  assert.equal((await setting.call(other.token, 'GET', list)).body.items.length, 0);
  assert.deepEqual((await setting.call(team.token, 'GET', list)).body.items, [body]);
});
