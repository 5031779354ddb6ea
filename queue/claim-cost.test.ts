import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connectRedis, type RedisClient } from './redis-connection.ts';
import type { RedisServer } from './redis-server.ts';
import { createSweptQueue } from './swept-queue-for-tests.ts';
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
  const queue = await createSweptQueue({ url: server.url, prefix: `{cost-${teams}-${waiting}}` });
  try {
    const add = (number: number) => {
      const team = `t${number % teams}`;
      return queue.enqueue({ build: `b${number}`, project: team, team }, 1000);
    };
    for (let number = 0; number < waiting; number += 500)
      await Promise.all(Array.from({ length: 500 }, (_, index) => add(number + index)));
    const held: { build: string; holder: string }[] = [];
    const claim = async (number: number, finished?: { build: string; holder: string }) => {
      const entry = await queue.claim(`r${number}`, 60_000, { finished });
      held.push({ build: entry?.build ?? '', holder: `r${number}` });
    };
    const numbers = Array.from({ length: claims }, (_, number) => number);
    const claimed = await commandsOf(async () => {
      for (const number of numbers) await claim(number);
    });
    const next = await commandsOf(async () => {
      for (const number of numbers) await claim(number, held.shift());
    });
    const together = await commandsOf(() =>
      Promise.all(numbers.map((number) => claim(number, held.shift()))),
    );
    const finished = await commandsOf(async () => {
      for (const { build, holder } of held) assert.ok(await queue.finish(build, holder));
    });
    const enqueue = await commandsOf(() => add(waiting));
    const each = { claim: claimed, next, together, finish: finished };
    for (const name of ['claim', 'next', 'together', 'finish'] as const) each[name] /= claims;
    return { ...each, enqueue };
  } finally {
    await queue.close();
  }
}

test('to add, claim and finish a build takes the same commands, however many teams there are and builds wait', async () => {
  const oneTeam = await costs(1, 500);
  assert.deepEqual(await costs(1, 10_000), oneTeam);
  const teams = await costs(1_000, 10_000);
  // Where the next build is another team's, that team is read, too.
  for (const { claim, finish, next, enqueue } of [oneTeam, teams])
    assert.ok(claim <= 10 && finish <= 8 && next <= 16 && enqueue <= 4, JSON.stringify({ oneTeam, teams }));
  for (const { together, next } of [oneTeam, teams]) assert.ok(together <= next - 5, JSON.stringify(teams));
});
