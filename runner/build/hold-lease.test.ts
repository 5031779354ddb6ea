import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { connectRedis } from '../../queue/redis-connection.ts';
import { createSweptQueue } from '../../queue/swept-queue-for-tests.ts';
import { startRedis } from '../../queue/test-redis.ts';
import { BuildEnd, LetGo } from './build-end.ts';
import { type BuildReports, ControlPlaneError } from './control-plane.ts';
import { holdLease } from './hold-lease.ts';

const minute = 60_000;
const entry = { build: 'bld_1', project: 'prj_1', team: 'team_1' };

test('a build that Redis forgot and got back can be taken over where its VM is', async (t) => {
  const server = await startRedis();
  const queue = await createSweptQueue({ url: server.url });
  const redis = await connectRedis({ url: server.url });
  const ended = new AbortController();
  t.after(async () => {
    ended.abort();
    await lease.released;
    redis.disconnect();
    await queue.close();
    await server.close();
  });
  await queue.enqueue(entry, 1);
  await queue.claim('r1', minute);
  const lease = holdLease(
    { queue },
    { build: 'bld_1', holder: 'r1', sharedAt: () => 'here', reports: () => undefined },
    ended.signal,
  );

  // Between two heartbeats, as after a moment without Redis: the runner hears nothing of it.
  await redis.multi().flushall().exec();
  assert.equal(await queue.restore(entry, { holder: 'r1', leaseMs: minute }, 1), true);
  await delay(1_500);
  assert.equal(lease.signal.aborted, false);
  ended.abort();
  await lease.released;
  await queue.handOver('bld_1', 'r1');
  assert.deepEqual(await queue.claim('r2', minute, { place: 'here' }), {
    ...entry,
    takenFrom: ['r1'],
    handedOver: true,
  });
});

test('a clock that is set forward ends no build whose lease is renewed later than that', async (t) => {
  const server = await startRedis();
  const queue = await createSweptQueue({ url: server.url });
  const ended = new AbortController();
  await queue.enqueue(entry, 1);
  await queue.claim('r1', minute);
  let beats = 0;
  const heartbeat: typeof queue.heartbeat = async (...asked) => {
    beats += 1;
    if (beats > 1) throw new Error('Redis is away for a moment.');
    return await queue.heartbeat(...asked);
  };
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const lease = holdLease(
    { queue: { ...queue, heartbeat } },
    { build: 'bld_1', holder: 'r1', sharedAt: () => undefined, reports: () => undefined },
    ended.signal,
  );
  t.after(async () => {
    ended.abort();
    await lease.released;
    await queue.close();
    await server.close();
  });
  while (beats < 1) await delay(10);
  t.mock.timers.tick(minute);
  while (beats < 3) await delay(50);
  assert.equal(lease.signal.aborted, false);
});

const leaseMs = 1_500;

/** A lease that Redis renewed until a moment ago, when it went away; the API answers as `heartbeat` does. */
async function withoutRedis(t: TestContext, heartbeat: BuildReports['heartbeat']) {
  const server = await startRedis();
  const queue = await createSweptQueue({ url: server.url });
  const ended = new AbortController();
  await queue.enqueue(entry, 1);
  await queue.claim('r1', leaseMs);
  const counts = { asked: 0, lost: 0 };
  const counted: BuildReports['heartbeat'] = async (...question) => {
    counts.asked += 1;
    return await heartbeat(...question);
  };
  const leaseLost = () => {
    counts.lost += 1;
  };
  const lease = holdLease(
    { queue, metrics: { leaseLost } },
    {
      ...{ build: 'bld_1', holder: 'r1', leaseMs, sharedAt: () => 'here' },
      reports: () => ({ heartbeat: counted }),
    },
    ended.signal,
  );
  t.after(async () => {
    // Not until it is released: what it asks Redis last is answered by nobody for 5 s.
    ended.abort();
    await queue.close();
    await server.close();
  });
  await delay(leaseMs / 2);
  assert.equal(counts.asked, 0, 'Redis answers');
  await server.close();
  return { signal: lease.signal, counts, since: performance.now() };
}

for (const [word, Reason] of [
  ['cancel', BuildEnd],
  ['taken', LetGo],
] as const)
  test(`Redis that is away for longer than a lease ends no build, and "${word}" comes by the API then`, async (t) => {
    let answer: 'held' | typeof word = 'held';
    const places = new Set<string | undefined>();
    const { signal, counts } = await withoutRedis(t, async (place) => {
      places.add(place);
      return answer;
    });
    await delay(2 * leaseMs);
    assert.equal(signal.aborted, false);
    answer = word;
    if (!signal.aborted) await once(signal, 'abort');
    assert.ok(signal.reason instanceof Reason);
    assert.deepEqual([...places], ['here']);
    assert.equal(counts.lost, 0);
  });

for (const [how, heartbeat] of [
  ['does not answer', (_, signal) => once(signal, 'abort').then(() => Promise.reject(signal.reason))],
  ['is of a release before', () => Promise.reject(new ControlPlaneError(404, 'not_found', 'Nothing there.'))],
] as [string, BuildReports['heartbeat']][])
  test(`a build is lost at the end of its lease when Redis is away and the API ${how}`, async (t) => {
    const { signal, counts, since } = await withoutRedis(t, heartbeat);
    await once(signal, 'abort');
    const lastedMs = performance.now() - since;
    assert.ok(lastedMs > leaseMs / 2, `${lastedMs} ms`);
    assert.equal(signal.reason.outcome.outcome, 'lost');
    assert.ok(counts.asked > 0);
    assert.equal(counts.lost, 1);
  });
