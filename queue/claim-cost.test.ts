import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connectRedis, type RedisClient } from './redis-connection.ts';
import { createRedisQueue } from './redis-queue.ts';
import type { RedisServer } from './redis-server.ts';
import { startRedis } from './test-redis.ts';

let server: RedisServer;
let redis: RedisClient;
const claims = 50;

before(async () => {
  server = await startRedis();
  redis = await connectRedis(server);
});
after(async () => {
  redis.disconnect();
  await server.close();
});

/** How many commands of Redis this takes, those within scripts included. */
async function commandsOf(work: () => Promise<unknown>): Promise<number> {
  await redis.config('RESETSTAT');
  await work();
  const stats = await redis.info('commandstats');
  const counts = [...stats.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)].filter(
    ([, name = '']) => !/^(evalsha|eval|info|config)/.test(name),
  );
  return counts.reduce((sum, [, , calls]) => sum + Number(calls), 0);
}

/** Commands of claims and of the ends of builds, one by one, where so many builds of so many teams wait. */
async function costs(teams: number, waiting: number) {
  const queue = await createRedisQueue({ url: server.url, prefix: `{cost-${teams}-${waiting}}` });
  try {
    const add = (number: number) => {
      const team = `t${number % teams}`;
      return queue.enqueue({ build: `b${number}`, project: team, team }, 1000);
    };
    for (let number = 0; number < waiting; number += 500)
      await Promise.all(Array.from({ length: 500 }, (_, index) => add(number + index)));
    const builds: string[] = [];
    const claim = await commandsOf(async () => {
      for (let number = 0; number < claims; number += 1)
        builds.push((await queue.claim(`r${number}`, 60_000))?.build ?? '');
    });
    const finish = await commandsOf(async () => {
      for (const [number, build] of builds.entries()) assert.ok(await queue.finish(build, `r${number}`));
    });
    const enqueue = await commandsOf(() => add(waiting));
    return { claim: claim / claims, finish: finish / claims, enqueue };
  } finally {
    await queue.close();
  }
}

test('to add, claim and finish a build takes the same commands, however many teams there are and builds wait', async () => {
  const few = await costs(1, 500);
  assert.deepEqual(await costs(1, 10_000), few);
  assert.deepEqual(await costs(1_000, 10_000), few);
  assert.ok(few.claim <= 18 && few.finish <= 15 && few.enqueue <= 10, JSON.stringify(few));
});
