import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { revokeProject } from './revoke-for-tests.ts';
import { openSetting, type Setting } from './test-setting.ts';

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

const call = (method: 'GET' | 'POST' | 'PATCH', path: string, body?: object) =>
  setting.call(team.token, method, path, body);
const createKey = () => call('POST', '/v1/deploy-keys', { project_id: projectId });
const createHook = () => call('POST', '/v1/hook-bindings', { project_id: projectId });
const revoke = () => revokeProject(setting.context, projectId, signal());

const requests = [
  { name: 'a new deploy key', adds: 'addDeployKey', prepare: async () => createKey },
  { name: 'a new hook', adds: 'addHook', prepare: async () => createHook },
  {
    name: 'a rotated deploy key',
    adds: 'addDeployKey',
    async prepare() {
      const { id } = (await createKey()).body;
      return () => call('PATCH', `/v1/deploy-keys/${id}`, { rotate_when: { why: 'next' } });
    },
  },
  {
    name: 'a changed hook',
    adds: 'addHook',
    async prepare() {
      const { id } = (await createHook()).body;
      return () => call('PATCH', `/v1/hook-bindings/${id}`, { events: ['push'] });
    },
  },
];

for (const { name, adds, prepare } of requests) {
  describe(`a revocation that begins while the source host is told of ${name}`, () => {
    test('ends only after it, with nothing at the host', async () => {
      const request = await prepare();
      const { reached, release } = hold(adds);
      const asked = request();
      await reached;
      const revoked = revoke();
      assert.equal(await Promise.race([revoked, sleep(500, 'waits')]), 'waits');
      release();
      assert.equal((await asked).status, 409);
      assert.ok((await revoked).receiptId);
      await assertNothingAtHost();
    });

    test('does not wait for ever, and what comes afterwards is taken back', async () => {
      const request = await prepare();
      const { reached, release } = hold(adds);
      const asked = request();
      await reached;
      await setting.additionsEnded();
      assert.ok((await revoke()).receiptId);
      release();
      assert.equal((await asked).status, 409);
      await assertNothingAtHost();
    });
  });
}

test('what a process added before it died is waited for and removed', async () => {
  setting.fault.after = (method) => {
    if (method === 'addHook') throw new Error('The process died.');
  };
  assert.equal((await createHook()).status, 500);
  delete setting.fault.after;
  const revoked = revoke();
  assert.equal(await Promise.race([revoked, sleep(500, 'waits')]), 'waits');
  await setting.additionsEnded();
  assert.ok((await revoked).receiptId);
  await assertNothingAtHost();
});

for (const [path, create, adds] of [
  ['/v1/deploy-keys', createKey, 'addDeployKey'],
  ['/v1/hook-bindings', createHook, 'addHook'],
] as const) {
  describe(`asking for one of ${path} whose making was cut off`, () => {
    const calls: string[] = [];
    const cutOff = async (when: 'before' | 'after') => {
      setting.fault[when] = (method) => {
        if (method === adds) throw new Error('The process died.');
      };
      assert.equal((await create()).status, 500);
      delete setting.fault[when];
      calls.length = 0;
      setting.fault.before = (method) => void calls.push(method);
      const table = path === '/v1/deploy-keys' ? 'deploy_key' : 'hook_binding';
      const row = await setting.context.database
        .selectFrom(table)
        .select('id')
        .where('project_id', '=', projectId)
        .executeTakeFirstOrThrow();
      return `${path}/${row.id}`;
    };

    test('finds it at the source host', async () => {
      const { status, body } = await call('GET', await cutOff('after'));
      assert.equal(status, 200);
      assert.notEqual(body.source_host_id, '');
    });

    test('makes nothing there: it is 404 until somebody declares it again', async () => {
      const item = await cutOff('before');
      assert.equal((await call('GET', item)).status, 404);
      assert.ok(!calls.includes(adds));
      assert.equal((await create()).status, 201);
      assert.equal((await call('GET', item)).status, 200);
    });
  });
}

/** Stops the next call of a method before it reaches the source host. */
function hold(method: string) {
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  setting.fault.before = async (called) => {
    if (called !== method) return;
    reached.resolve();
    await released.promise;
  };
  return { reached: reached.promise, release: released.resolve };
}

async function assertNothingAtHost(): Promise<void> {
  assert.deepEqual(await setting.atHost(repository()), { deployKeys: [], hooks: [] });
}
