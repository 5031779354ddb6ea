import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { BuildQueue } from './build-queue.ts';
import { connectRedis } from './redis-connection.ts';
import type { RedisServer } from './redis-server.ts';
import { createSweptQueue } from './swept-queue-for-tests.ts';
import { startRedis } from './test-redis.ts';

let server: RedisServer;
const closing: (() => unknown)[] = [];
const minute = 60_000;

before(async () => {
  server = await startRedis();
});
after(async () => {
  await Promise.all(closing.map((close) => close()));
  await server.close();
});

async function freshQueue(prefix: string): Promise<BuildQueue> {
  const queue = await createSweptQueue({ url: server.url, prefix });
  closing.push(() => queue.close());
  return queue;
}

/** Counts how often those who wait for work of the queue are woken; `count` begins anew. */
async function watchWork(prefix: string) {
  const redis = await connectRedis(server);
  closing.push(() => redis.disconnect());
  let woken = 0;
  redis.on('message', () => {
    woken += 1;
  });
  await redis.subscribe(`${prefix}:work`);
  return {
    async count(): Promise<number> {
      // Answered on this connection, so after all that was published before.
      await redis.ping();
      const counted = woken;
      woken = 0;
      return counted;
    },
  };
}

/** Resolves when the queue has heard all that was published until now. */
async function caughtUp(queue: BuildQueue): Promise<void> {
  const stop = new AbortController();
  await new Promise<void>((resolve, reject) => {
    queue.watch('marker', resolve, stop.signal).then(() => queue.announce('marker'), reject);
  });
  stop.abort();
}

const entry = (build: string, project = 'p') => ({ build, project, team: 't' });

test('work that comes between a claim and the wait for more is not slept through', async () => {
  const queue = await freshQueue('{between}');
  await caughtUp(queue);
  assert.equal(await queue.claim('r', minute), undefined);
  await queue.enqueue(entry('b'), 1);
  await caughtUp(queue);
  await queue.waitForWork(10 * minute, AbortSignal.timeout(10 * minute));
  assert.equal((await queue.claim('r', minute))?.build, 'b');
});

test('work is not slept through when a claim that may have none of it comes between, either', async () => {
  const queue = await freshQueue('{take-over-only}');
  await caughtUp(queue);
  await queue.claim('r', minute);
  await queue.enqueue(entry('b'), 1);
  await caughtUp(queue);
  assert.equal(await queue.claim('r', minute, { takeOverOnly: true }), undefined);
  await queue.waitForWork(10 * minute, AbortSignal.timeout(10 * minute));
  assert.equal((await queue.claim('r', minute))?.build, 'b');
});

test('who waits is woken when there is work again, not by each build that joins others, nor by claims', async () => {
  const queue = await freshQueue('{joins}');
  const work = await watchWork('{joins}');
  await queue.enqueue(entry('b1'), 2);
  assert.equal(await work.count(), 1);
  for (const build of ['b2', 'b3', 'b4']) await queue.enqueue(entry(build), 2);
  await queue.enqueue(entry('b5', 'another'), 2);
  for (const holder of ['r1', 'r2', 'r3']) await queue.claim(holder, minute);
  assert.equal(await work.count(), 0);
});

test('who waits is woken when a project that was at its limit may go on', async () => {
  const queue = await freshQueue('{limit}');
  const work = await watchWork('{limit}');
  await queue.enqueue(entry('b1'), 1);
  await queue.enqueue(entry('b2'), 1);
  await queue.claim('r1', minute);
  await work.count();
  await queue.finish('b1', 'r1');
  assert.equal(await work.count(), 1);
});

test('who found the fleet full is woken by the end of a build of any team', async () => {
  const queue = await freshQueue('{fleet}');
  const work = await watchWork('{fleet}');
  await queue.setFleet({ limit: 1 });
  await queue.enqueue(entry('b1'), 1);
  await queue.enqueue({ build: 'b2', project: 'q', team: 'another' }, 1);
  const first = await queue.claim('r1', minute);
  assert.equal(await queue.claim('r2', minute), undefined);
  await work.count();
  await queue.finish(first?.build ?? '', 'r1');
  assert.equal(await work.count(), 1);
  assert.ok(await queue.claim('r2', minute));
});
