import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { BuildQueue } from '../../queue/build-queue.ts';
import { type ConfiguredRedis, startConfiguredRedis } from '../../queue/redis-for-tests.ts';
import { createRedisQueue } from '../../queue/redis-queue.ts';
import { startTcpProxy } from '../../test/tcp-proxy.ts';
import { created, declareBuildableProject, send, signIn } from '../test-client.ts';
import { openTestContext, type TestContext } from '../test-context.ts';
import { runSweeper } from './sweep.ts';

/*
 * Redis may lose its last second when it is killed, and what was not replicated when a replica takes over: claims, ends and
 * builds. What was accepted is ended all the same, once.
 */

const builds = 60;
const workers = 4;

/** Claims builds and ends each, as runners do, until `stop` aborts; counts the ends that the API took. */
async function work(given: TestContext, queue: BuildQueue, stop: AbortSignal, ends: Map<string, number>) {
  const runner = await signIn(given, given.keys.runner);
  const once = async () => {
    const holder = `r/${randomUUID()}`;
    const entry = await queue.claim(holder, 10_000);
    if (!entry) return void (await delay(20));
    const { build } = entry;
    const claimed = await runner.call('POST', `/v1/builds/${build}/claim`, { lease_holder: holder });
    if (claimed.status === 200) {
      await delay(10);
      const ended = await send(given, {
        method: 'POST',
        url: `/v1/builds/${build}/finish`,
        headers: { authorization: `Bearer ${claimed.body.token}` },
        payload: { attempt: claimed.body.attempt, outcome: 'errored', reason: 'The test ends it.' },
      });
      if (ended.status === 204) ends.set(build, (ends.get(build) ?? 0) + 1);
    }
    await queue.finish(build, holder);
  };
  while (!stop.aborted) await once().catch(() => delay(20));
}

/** Starts builds one after the other while Redis at `url` is meddled with; each is ended once, and nothing is left in Redis. */
async function endsEachBuild(url: string, meddle: (started: number) => Promise<void>): Promise<void> {
  const given = await openTestContext();
  const queue = await createRedisQueue({ url });
  const context = { ...given.context, queue };
  given.context.queue = queue;
  const stop = new AbortController();
  const ends = new Map<string, number>();
  const admin = await signIn(given, given.keys.admin);
  const project = await declareBuildableProject(given, admin, { concurrency: 20 });
  const working = [
    runSweeper(context, { intervalMs: 200, signal: stop.signal }),
    ...Array.from({ length: workers }, () => work(given, queue, stop.signal, ends)),
  ];
  try {
    const accepted: string[] = [];
    for (let number = 0; number < builds; number += 1) {
      accepted.push((await created(admin, '/v1/builds', { project_id: project.id })).id);
      await meddle(accepted.length);
    }
    const open = async () =>
      await context.database.selectFrom('build').select('id').where('finished_at', 'is', null).execute();
    while ((await open()).length > 0) await delay(100);
    // None for one that was given up after three attempts, which takes more losses than there are here, or a slow machine.
    for (const id of accepted) assert.ok((ends.get(id) ?? 0) <= 1, `${id} is ended once`);
    assert.ok(ends.size > builds / 2, `${ends.size} of ${builds} are ended by their runner`);
    const empty = async () => Object.values(await queue.counts()).every((count) => count === 0);
    while (!(await empty())) await delay(100);
  } finally {
    stop.abort();
    await Promise.all(working);
    await queue.close();
    await given.close();
  }
}

/** Ends with what replicas have: nothing is waited for. */
async function promote(replica: ConfiguredRedis): Promise<void> {
  const client = new Redis(replica.url);
  await client.call('REPLICAOF', 'NO', 'ONE');
  client.disconnect();
}

async function replicates(replica: ConfiguredRedis): Promise<void> {
  const client = new Redis(replica.url);
  while (!/master_link_status:up/.test(await client.info('replication'))) await delay(50);
  client.disconnect();
}

test('each accepted build is ended once though Redis is killed under load and starts again from its file', async (t) => {
  const redis = await startConfiguredRedis();
  t.after(() => redis.close());
  await endsEachBuild(redis.url, async (started) => {
    if (started !== 20 && started !== 40) return;
    await redis.kill();
    await redis.restart();
  });
});

test('each accepted build is ended once though Redis fails over to a replica under load', async (t) => {
  const primary = await startConfiguredRedis();
  t.after(() => primary.close());
  const replica = await startConfiguredRedis('--replicaof', `127.0.0.1 ${primary.port}`);
  t.after(() => replica.close());
  await replicates(replica);
  const proxy = await startTcpProxy(primary.port);
  t.after(() => proxy.close());
  await endsEachBuild(`redis://127.0.0.1:${proxy.port}`, async (started) => {
    if (started !== 30) return;
    await primary.kill();
    await promote(replica);
    proxy.leadTo(replica.port);
  });
});
