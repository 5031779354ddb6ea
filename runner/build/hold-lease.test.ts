import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { connectRedis } from '../../queue/redis-connection.ts';
import { createSweptQueue } from '../../queue/swept-queue-for-tests.ts';
import { startRedis } from '../../queue/test-redis.ts';
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
  const lease = holdLease({ queue }, { build: 'bld_1', holder: 'r1', sharedAt: () => 'here' }, ended.signal);

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
    { build: 'bld_1', holder: 'r1', sharedAt: () => undefined },
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
