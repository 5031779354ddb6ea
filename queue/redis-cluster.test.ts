import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { BuildQueue } from './build-queue.ts';
import { type ConfiguredRedis, startConfiguredRedis } from './redis-for-tests.ts';
import { createSweptQueue } from './swept-queue-for-tests.ts';

const minute = 60_000;

/** Nodes that have the slots among them, and know each other. */
async function startCluster(nodes: number): Promise<{ servers: ConfiguredRedis[]; close(): Promise<void> }> {
  const settings = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];
  const servers: ConfiguredRedis[] = [];
  for (let node = 0; node < nodes; node += 1) servers.push(await startConfiguredRedis(...settings));
  const clients = servers.map(({ url }) => new Redis(url));
  const bounds = servers.map((_, node) => Math.floor((node * 16_384) / nodes));
  for (const [node, client] of clients.entries()) {
    await client.call('CLUSTER', 'ADDSLOTSRANGE', bounds[node] ?? 0, (bounds[node + 1] ?? 16_384) - 1);
    await client.call('CLUSTER', 'MEET', '127.0.0.1', servers[0]?.port ?? 0);
  }
  for (const client of clients) {
    const ready = async () =>
      /cluster_state:ok/.test(String(await client.call('CLUSTER', 'INFO'))) &&
      String(await client.call('CLUSTER', 'NODES'))
        .trim()
        .split('\n').length === nodes;
    while (!(await ready())) await delay(50);
    client.disconnect();
  }
  return { servers, close: async () => void (await Promise.all(servers.map((server) => server.close()))) };
}

/** A life of builds in which every call of the queue is made. */
async function callEverything(queue: BuildQueue): Promise<void> {
  const ended = new AbortController();
  const entry = (build: string) => ({ build, project: 'p1', team: 't1' });
  await queue.ping();
  const heard = Promise.withResolvers<void>();
  await queue.watch('b1', heard.resolve, ended.signal);
  const told = Promise.withResolvers<string>();
  await queue.watchCancellations(told.resolve, ended.signal);
  await queue.setTeam('t1', { weight: 2 });
  await queue.setFleet({ limit: 100 });
  const woken = queue.waitForWork(minute, ended.signal);
  await queue.requireRoom();
  for (const build of ['b1', 'b2', 'b3']) await queue.enqueue(entry(build), 1);
  await queue.setConcurrency('p1', 2);
  await woken;
  assert.equal((await queue.place('b2'))?.place, 2);
  await queue.holdBack(minute);
  assert.deepEqual(await queue.places(['b1', 'b9']), [
    { place: 1, waitsFor: 'turn', heldBack: true },
    undefined,
  ]);
  assert.deepEqual((await queue.depth()).turn?.waiting, 3);
  assert.equal((await queue.claim('r1', minute))?.build, 'b1');
  assert.equal(await queue.heartbeat('b1', 'r1', minute), 'held');
  assert.ok(Number(await queue.leaseUntil('b1')) > Date.now());
  await queue.announce('b1');
  await heard.promise;
  assert.equal(await queue.cancel('b1'), 'signalled');
  assert.equal(await told.promise, 'b1');
  assert.equal(await queue.requeue('b1', 'r1'), true);
  assert.equal((await queue.claim('r2', 0))?.build, 'b1');
  assert.deepEqual(await queue.expired(), ['b1']);
  assert.equal(await queue.finish('b1', 'r2'), true);
  assert.equal((await queue.claim('r2', 0))?.build, 'b2');
  assert.equal(await queue.share('b2', 'r2', 'here'), true);
  assert.deepEqual((await queue.claim('r3', minute, { place: 'here' }))?.takenFrom, ['r2']);
  assert.equal(await queue.handOver('b2', 'r3'), true);
  assert.equal(await queue.requeue('b2', 'r3'), true);
  assert.equal(await queue.restore(entry('b4'), { holder: 'r4', leaseMs: minute }, 2), true);
  await queue.forget('b3');
  assert.deepEqual(await queue.look(['b1', 'b2', 'b4']), [
    undefined,
    { build: 'b2', state: 'waiting' },
    { build: 'b4', state: 'leased', holder: 'r4' },
  ]);
  assert.equal((await queue.page(undefined, 1_000)).entries.length, 2);
  assert.equal((await queue.list()).length, 2);
  assert.deepEqual(await queue.counts(), { waiting: 1, leased: 1, expired: 0 });
  assert.equal(await queue.lead('api-1', minute), true);
  assert.equal(await queue.walk('walk', false), 'begun');
  assert.equal(await queue.walk('walk', true), 'done');
  await queue.present('runner', minute);
  assert.equal(await queue.isPresent('runner'), true);
  ended.abort();
}

for (const nodes of [1, 3]) {
  test(`every call works on a cluster of ${nodes}, whichever node it is pointed at`, async (t) => {
    const cluster = await startCluster(nodes);
    t.after(() => cluster.close());
    for (const [node, { url }] of cluster.servers.entries()) {
      const real = await createSweptQueue({ url, prefix: `{ebb-${node}}` });
      const called = new Set<string>();
      const queue = new Proxy(real, {
        get(target, name: keyof BuildQueue) {
          called.add(name);
          return target[name];
        },
      });
      try {
        await callEverything(queue);
      } finally {
        await real.close();
      }
      const missing = Object.keys(real).filter((name) => name !== 'close' && !called.has(name));
      assert.deepEqual(missing, [], 'a call that this test does not make');
    }
  });
}
