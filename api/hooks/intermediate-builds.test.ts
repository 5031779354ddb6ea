import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, test } from 'node:test';
import { parseExposition } from '../../contract/exposition-for-tests.ts';
import { describeApi } from '../../test/describe-api.ts';
import { sweepOnce } from '../builds/sweep.ts';
import { type Client, created, declareBuildableProject, signIn } from '../test-client.ts';
import { dealWithDeliveries, storePullRequest, storePush } from './deliver-for-tests.ts';

const objectId = () => randomBytes(20).toString('hex');

describeApi('intermediate builds', (given) => {
  let admin: Client;
  before(async () => {
    admin = await signIn(given(), given().keys.admin);
  });

  async function declare(cancel_intermediate_builds?: string) {
    const more = { concurrency: 9, ...(cancel_intermediate_builds && { cancel_intermediate_builds }) };
    const project = await declareBuildableProject(given(), admin, more);
    const hook = await created(admin, '/v1/hook-bindings', {
      ...{ project_id: project.id, branches: ['main', 'next'], tags: ['v*'] },
      events: ['push', 'pull_request'],
    });
    const deal = () => dealWithDeliveries(given());
    let tip = '0'.repeat(40);
    return {
      ...project,
      async push(more: { ref?: string; before?: string; commit?: string; at?: string } = {}) {
        const told = { repository: project.name, before: tip, commit: objectId(), ...more };
        await storePush(given(), hook.id, told);
        await deal();
        tip = told.commit;
        return await newest();
      },
      async change(fromFork: boolean) {
        await storePullRequest(given(), hook.id, { repository: project.name, commit: objectId(), fromFork });
        await deal();
        return await newest();
      },
    };
    async function newest() {
      return (await admin.call('GET', `/v1/builds?project_id=${project.id}&limit=1`)).body.items[0];
    }
  }
  const state = async ({ id }: { id: string }) => (await admin.call('GET', `/v1/builds/${id}`)).body.state;
  const set = (id: string, fields: object) =>
    given().context.database.updateTable('build').set(fields).where('id', '=', id).execute();
  const isAskedToStop = async ({ id }: { id: string }) => {
    const build = given()
      .context.database.selectFrom('build')
      .select('cancel_requested')
      .where('id', '=', id);
    return (await build.executeTakeFirstOrThrow()).cancel_requested;
  };

  test('that waited are counted among those that were cancelled, each once', async () => {
    const cancelled = async () => {
      const text = (await given().context.metrics?.registry.metrics()) ?? '';
      const family = parseExposition(text).get('ebb_builds_total');
      return family?.samples.find(({ labels }) => labels.outcome === 'cancelled')?.value ?? Number.NaN;
    };
    const before = await cancelled();
    const { push } = await declare('waiting');
    await push();
    await push();
    await push();
    assert.equal((await cancelled()) - before, 2);
  });

  test('are all built where the project declares nothing', async () => {
    const { push } = await declare();
    const older = await push();
    await push();
    assert.equal(await state(older), 'queued');
  });

  test('that wait are cancelled by a newer push to their branch, with its id, and leave the queue', async () => {
    const { push } = await declare('waiting');
    const older = await push();
    const elsewhere = await push({ ref: 'refs/heads/next', before: '0'.repeat(40) });
    const newer = await push({ before: older.commit });
    const { body } = await admin.call('GET', `/v1/builds/${older.id}`);
    assert.deepEqual([body.state, body.reason], ['cancelled', `Superseded by build ${newer.id}.`]);
    assert.deepEqual([await state(elsewhere), await state(newer)], ['queued', 'queued']);
    const { queue } = given().context;
    assert.equal(await queue.place(older.id), undefined);
    assert.equal((await queue.place(newer.id))?.waitsFor, 'turn');
  });

  test('that run go on where only waiting ones are to be cancelled, and are stopped where those are, too', async () => {
    for (const [declared, stops] of [
      ['waiting', false],
      ['running', true],
    ] as const) {
      const { push } = await declare(declared);
      const older = await push();
      await set(older.id, { state: 'running' });
      await push();
      assert.equal(await isAskedToStop(older), stops, declared);
    }
  });

  test('whose deployment has begun go on, whatever is declared', async () => {
    const { push } = await declare('running');
    const deploying = await push();
    await set(deploying.id, { state: 'running', deploy_started: true });
    await push();
    assert.equal(await isAskedToStop(deploying), false);
  });

  test('are not those that somebody asked for', async () => {
    const { id, push } = await declare('running');
    const asked = await created(admin, '/v1/builds', { project_id: id });
    await push();
    assert.equal(await state(asked), 'queued');
  });

  test('of a tag are cancelled when that tag is moved, not by another tag', async () => {
    const { push } = await declare('waiting');
    const first = await push({ ref: 'refs/tags/v1' });
    const second = await push({ ref: 'refs/tags/v2' });
    await push({ ref: 'refs/tags/v1' });
    assert.deepEqual([await state(first), await state(second)], ['cancelled', 'queued']);
  });

  test('of a pull request are cancelled by its next commit', async () => {
    const { change } = await declare('waiting');
    const first = await change(false);
    const second = await change(false);
    assert.deepEqual([await state(first), await state(second)], ['cancelled', 'queued']);
  });

  test('of a fork are cancelled when the next commit is let in, not when it asks', async () => {
    const { change } = await declare('running');
    const first = await change(true);
    await admin.call('POST', `/v1/builds/${first.id}/approve`);
    const second = await change(true);
    assert.deepEqual([await state(first), await state(second)], ['queued', 'awaiting_approval']);
    await admin.call('POST', `/v1/builds/${second.id}/approve`);
    assert.deepEqual([await state(first), await state(second)], ['cancelled', 'queued']);
  });

  test('are not cancelled by a push that comes late, by the clock of the source host or by its commits', async () => {
    const at = (second: number) => new Date(Date.UTC(2030, 0, 1, 12, 0, second)).toISOString();
    const { push } = await declare('running');
    const newer = await push({ at: at(20) });
    await push({ at: at(10) });
    assert.equal(await state(newer), 'queued');

    const silent = await declare('running');
    const first = await silent.push();
    const missing = objectId();
    const last = await silent.push({ before: missing });
    // It went before the last one, and comes after it.
    await silent.push({ before: first.commit, commit: missing });
    assert.equal(await state(last), 'queued');
  });

  test('that Redis did not hear of are stopped by the sweeper', async () => {
    const { push } = await declare('running');
    const { context } = given();
    const older = await push();
    const lease = `r/${crypto.randomUUID()}`;
    while ((await context.queue.claim(lease, 60_000))?.build !== older.id);
    await set(older.id, { state: 'running', started_at: new Date() });
    const { cancel } = context.queue;
    context.queue.cancel = () => Promise.reject(new Error('Redis is away.'));
    try {
      await push();
    } finally {
      context.queue.cancel = cancel;
    }
    assert.equal(await context.queue.heartbeat(older.id, lease, 60_000), 'held');
    await sweepOnce(context);
    assert.equal(await context.queue.heartbeat(older.id, lease, 60_000), 'cancel');
  });
});
