import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { afterEach, before, beforeEach, test } from 'node:test';
import { type ClaimedBuild, startBuild } from '../../test/attacks/runner-for-tests.ts';
import { describeApi } from '../../test/describe-api.ts';
import { type Client, created, declareBuildableProject, signIn } from '../test-client.ts';
import { newWalk, sweepOnce } from './sweep.ts';

const minute = 60_000;
const at = '2026-01-02T03:04:05.000Z';
const handle = 'eyJh.bGci.OiJF.Q0RI.LUVT';

/*
 * Redis is away where `away` is called: nobody who asks it about a lease is answered. All else is real. `later` sets the clock of the API.
 */
describeApi('a lease while Redis is away', (given) => {
  let admin: Client;
  let runner: Client;
  let id: string;
  let first: ClaimedBuild;
  let heartbeat: ReturnType<typeof given>['context']['queue']['heartbeat'];

  before(async () => {
    admin = await signIn(given(), given().keys.admin);
    runner = await signIn(given(), given().keys.runner);
    heartbeat = given().context.queue.heartbeat;
    // Redis has lost nothing from now on.
    const walk = newWalk();
    while (await sweepOnce(given().context, walk));
  });
  beforeEach(async () => {
    const project = await declareBuildableProject(given(), admin, { test: ['make'] });
    id = (await created(admin, '/v1/builds', { project_id: project.id })).id;
    first = await startBuild(given(), runner, id);
    await given().context.queue.claim(first.holder, minute);
  });
  afterEach(async () => {
    const { context } = given();
    back();
    context.now = () => new Date();
    await context.queue.forget(id);
    const over = { state: 'cancelled' as const, finished_at: new Date() };
    await context.database.updateTable('build').set(over).where('id', '=', id).execute();
  });

  const away = () => {
    given().context.queue.heartbeat = () => Promise.reject(new Error('Redis is away.'));
  };
  const back = () => {
    given().context.queue.heartbeat = heartbeat;
  };
  const later = (ms: number) => {
    given().context.now = () => new Date(Date.now() + ms);
  };
  const row = async () =>
    await given()
      .context.database.selectFrom('build')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
  /** What the runner that has the token hears. */
  const ask = async (token = first.specification.token, more: object = {}) => {
    const { status, body, text } = await first.report('heartbeat', more, { token });
    assert.equal(status, 200, text);
    return body.lease as string;
  };
  const share = async () => {
    const shared = await first.report('milestones', { milestone: 'checkout_done', at, vm_handle: handle });
    assert.equal(shared.status, 204, shared.text);
  };
  const takeOver = (handedOver = false) =>
    runner.call('POST', `/v1/builds/${id}/claim`, {
      ...{ lease_holder: `runner-2/${randomUUID()}`, takes_over: [first.holder] },
      ...(handedOver && { handed_over: true }),
    });

  test('is renewed at Redis, with its place, where Redis answers the API', async () => {
    const { queue } = given().context;
    assert.equal(await queue.heartbeat(id, first.holder, 1), 'held');
    while ((await queue.expired()).length === 0);
    assert.equal(await ask(undefined, { place: 'here' }), 'held');
    assert.deepEqual(await queue.expired(), []);
    assert.equal((await row()).held_until, null);
    await queue.handOver(id, first.holder);
    const taken = await queue.claim('runner-2/a', minute, { place: 'here', takeOverOnly: true });
    assert.equal(taken?.build, id);
    assert.equal(await ask(), 'taken');
  });

  test('is held by the row for longer than its runner counts', async () => {
    given().context.queue.heartbeat = () => new Promise(() => {});
    const asked = Date.now();
    assert.equal(await ask(), 'held');
    const heldMs = ((await row()).held_until?.getTime() ?? 0) - asked;
    assert.ok(heldMs > 15_000 && heldMs < 25_000, `${heldMs} ms`);
  });

  test('is held by the row while Redis has forgotten the build', async () => {
    await given().context.queue.forget(id);
    given().context.queue.heartbeat = async () => 'absent';
    assert.equal(await ask(), 'held');
    assert.notEqual((await row()).held_until, null);
  });

  test('tells of a cancellation, also when the build is over by then', async () => {
    away();
    await admin.call('POST', `/v1/builds/${id}/cancel`);
    assert.equal(await ask(), 'cancel');
    assert.equal((await first.report('finish', { outcome: 'cancelled' })).status, 204);
    assert.equal(await ask(), 'cancel');
  });

  test('is taken once another runner has the attempt, and lost once the attempt is over', async () => {
    away();
    await share();
    const { body: second, text } = await takeOver();
    assert.equal(second.attempt, 1, text);
    assert.equal(await ask(), 'taken');
    assert.equal((await row()).held_until, null, 'who lost it holds nothing');
    assert.equal(await ask(second.token), 'held');
    const lost = { outcome: 'lost', reason: 'The VM died.' };
    assert.equal((await first.report('finish', lost, { token: second.token })).status, 204);
    assert.equal((await row()).held_until, null);
    for (const token of [first.specification.token, second.token]) assert.equal(await ask(token), 'lost');
    const third = await startBuild(given(), runner, id);
    for (const token of [first.specification.token, second.token]) assert.equal(await ask(token), 'lost');
    assert.equal((await row()).held_until, null);
    assert.equal((await third.report('finish', { outcome: 'passed' })).status, 204);
    assert.equal(await ask(third.specification.token, { attempt: 2 }), 'lost');
  });

  test('is renewed by the token of the attempt alone', async () => {
    away();
    const other = await first.report('heartbeat', { attempt: 2 });
    assert.deepEqual([other.status, other.body.code], [403, 'wrong_attempt']);
    const project = await declareBuildableProject(given(), admin);
    const { id: build } = await created(admin, '/v1/builds', { project_id: project.id });
    const strange = await first.report('heartbeat', {}, { build });
    assert.deepEqual([strange.status, strange.body.code], [403, 'wrong_build']);
    const key = await runner.call('POST', `/v1/builds/${id}/heartbeat`, { attempt: 1 });
    assert.deepEqual([key.status, key.body.code], [403, 'wrong_build']);
    assert.equal((await row()).held_until, null);
  });

  test('is nobody else’s by Redis before the time of the row is over', async () => {
    await share();
    away();
    await ask();
    const { status, body, headers } = await takeOver();
    assert.deepEqual([status, body.code], [503, 'still_held']);
    assert.ok(Number(headers['retry-after']) > 10 && Number(headers['retry-after']) <= 20);
    assert.equal((await row()).lease_holder, first.holder);
    later(21_000);
    const granted = await takeOver();
    assert.equal(granted.status, 200, granted.text);
    const { held_until, takeovers } = await row();
    assert.deepEqual([held_until, takeovers], [null, 0], 'the runner before was late, and not lost');
  });

  test('is another’s at once when its runner gave it away', async () => {
    await share();
    away();
    await ask();
    const { status, text } = await takeOver(true);
    assert.equal(status, 200, text);
  });

  /** Sweeps when Redis is back and says that the lease ran out long ago. */
  const sweepAfterwards = async () => {
    back();
    const { context } = given();
    const { queue } = context;
    const expired = async () => [id];
    await sweepOnce({ ...context, queue: { ...queue, expired } });
    return (await row()).state;
  };

  for (const [what, begin] of [
    ['that can be taken over', share],
    ['that has begun its deployment', () => first.report('phase', { phase: 'deploy' })],
    ['that cannot be taken over', async () => {}],
  ] as const)
    test(`of a build ${what} is not swept away before the time of the row is over`, async () => {
      await begin();
      away();
      await ask();
      assert.equal(await sweepAfterwards(), 'running');
      later(21_000);
      if (begin === share) {
        assert.equal(await sweepAfterwards(), 'running', 'its VM may live, and another runner may come');
        later(61_000);
      }
      assert.equal(await sweepAfterwards(), what.includes('deployment') ? 'errored' : 'queued');
    });

  test('is not swept away either when the row is asked, and the deployment begun, after the sweeper has looked', async () => {
    const { context } = given();
    const { queue } = context;
    let looks = 0;
    const expired = async () => {
      looks += 1;
      if (looks === 2) {
        away();
        await ask();
        await first.report('phase', { phase: 'deploy' });
      }
      return [id];
    };
    await sweepOnce({ ...context, queue: { ...queue, expired } });
    assert.equal((await row()).state, 'running');
  });

  test('that Redis does not have goes back to who holds it by the row', async () => {
    away();
    await ask();
    back();
    const { context } = given();
    const { queue } = context;
    await queue.requeue(id, first.holder);
    assert.equal(await queue.heartbeat(id, first.holder, minute), 'lost');
    await sweepOnce(context);
    assert.equal((await row()).state, 'running');
    assert.equal(await queue.heartbeat(id, first.holder, minute), 'held');
  });

  test('that another runner took over when Redis was back stays with that one, which waits for the time of the row', async () => {
    await share();
    away();
    await ask();
    back();
    const { context } = given();
    const { queue } = context;
    await queue.share(id, first.holder, 'here');
    await queue.handOver(id, first.holder);
    assert.equal((await queue.claim('second/1', minute, { place: 'here', takeOverOnly: true }))?.build, id);
    await sweepOnce(context);
    assert.equal((await row()).lease_holder, first.holder);
    assert.equal(await queue.heartbeat(id, 'second/1', minute), 'held');
  });
});
