import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { BuildQueue } from './build-queue.ts';
import type { RedisServer } from './redis-server.ts';
import { createSweptQueue } from './swept-queue-for-tests.ts';
import { startRedis } from './test-redis.ts';

let server: RedisServer;
const queues: BuildQueue[] = [];
const minute = 60_000;

before(async () => {
  server = await startRedis();
});
after(async () => {
  await Promise.all(queues.map((queue) => queue.close()));
  await server.close();
});

async function freshQueue(): Promise<BuildQueue> {
  const queue = await createSweptQueue({ url: server.url, prefix: `{fair-${queues.length}}` });
  queues.push(queue);
  return queue;
}

/** Fills the queue with work of teams that never run out of it: `count` builds in each of their projects. */
async function hungry(queue: BuildQueue, teams: { [team: string]: number }, count: number): Promise<void> {
  const entries = Object.entries(teams).flatMap(([team, projects]) =>
    Array.from({ length: projects * count }, (_, number) => {
      const project = `${team}-p${number % projects}`;
      return { build: `${project}-${number}`, project, team };
    }),
  );
  while (entries.length > 0)
    await Promise.all(entries.splice(0, 500).map((entry) => queue.enqueue(entry, 1000)));
}

/** Claims and finishes one build after the other; gives how many of each team, or of each project, were served. */
async function served(queue: BuildQueue, builds: number, by: 'team' | 'project' = 'team') {
  const counts: Record<string, number> = {};
  for (let number = 0; number < builds; number += 1) {
    const entry = await queue.claim(`h${number}`, minute);
    assert.ok(entry);
    counts[entry[by]] = (counts[entry[by]] ?? 0) + 1;
  }
  return counts;
}

/** https://en.wikipedia.org/wiki/Fairness_measure#Jain's_fairness_index: 1 when all have the same. */
function jainIndex(shares: number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return (sum * sum) / (shares.length * squares);
}

test('teams that are always hungry get the same, however many projects and builds they have', async () => {
  const queue = await freshQueue();
  await hungry(queue, { one: 1, two: 2, ten: 10, five: 5 }, 120);
  const counts = await served(queue, 400);
  assert.ok(jainIndex(Object.values(counts)) >= 0.95, JSON.stringify(counts));
  assert.equal(Object.keys(counts).length, 4);
});

test('weights 1, 2 and 4 are shares, within a tenth', async () => {
  const queue = await freshQueue();
  for (const [team, weight] of [
    ['a', 1],
    ['b', 2],
    ['c', 4],
  ] as const) {
    await queue.setTeam(team, { weight });
  }
  await hungry(queue, { a: 2, b: 1, c: 3 }, 400);
  const counts = await served(queue, 700);
  for (const [team, share] of [
    ['a', 100],
    ['b', 200],
    ['c', 400],
  ] as const) {
    assert.ok(Math.abs((counts[team] ?? 0) - share) <= share / 10, JSON.stringify(counts));
  }
});

test('in a team its projects get the same', async () => {
  const queue = await freshQueue();
  await hungry(queue, { a: 4 }, 50);
  const counts = await served(queue, 100, 'project');
  assert.ok(jainIndex(Object.values(counts)) >= 0.99, JSON.stringify(counts));
});

test('a team whose builds take ten times as long gets a tenth as many', async () => {
  const queue = await freshQueue();
  const order = (team: string) => ({ expectedSeconds: team === 'slow' ? 100 : 10 });
  for (let number = 0; number < 220; number += 1)
    for (const team of ['slow', 'quick'])
      await queue.enqueue({ build: `${team}-${number}`, project: team, team }, 1000, order(team));
  const { slow = 0, quick = 0 } = await served(queue, 220);
  assert.ok(slow >= 18 && slow <= 22, JSON.stringify({ slow, quick }));
});

test('equal teams get the same time on runners, however long their builds take and whatever was expected', async () => {
  const queue = await freshQueue();
  const builds = {
    quick: { ms: 4, expectedSeconds: 600 },
    middle: { ms: 15, expectedSeconds: 60 },
    slow: { ms: 60, expectedSeconds: 1 },
  };
  const work: Record<string, number> = {};
  const add = async (team: string) => {
    const { expectedSeconds } = builds[team as keyof typeof builds];
    await queue.enqueue({ build: randomUUID(), project: team, team }, 10, { expectedSeconds });
  };
  for (const team of Object.keys(builds)) await Promise.all([add(team), add(team)]);
  const total = () => Object.values(work).reduce((sum, ms) => sum + ms, 0);
  const runner = async (holder: string) => {
    while (total() < 3_000) {
      const entry = await queue.claim(holder, minute);
      assert.ok(entry);
      const start = performance.now();
      await add(entry.team);
      await delay(builds[entry.team as keyof typeof builds].ms);
      await queue.finish(entry.build, holder);
      work[entry.team] = (work[entry.team] ?? 0) + performance.now() - start;
    }
  };
  await Promise.all([runner('r1'), runner('r2')]);
  assert.equal(Object.keys(work).length, 3);
  assert.ok(jainIndex(Object.values(work)) >= 0.95, JSON.stringify(work));
});

test('what was expected wrongly is put right at the end of a build', async () => {
  const queue = await freshQueue();
  for (let number = 0; number < 220; number += 1)
    for (const [team, expectedSeconds] of [
      ['careful', 1_000],
      ['right', 1],
    ] as const)
      await queue.enqueue({ build: `${team}-${number}`, project: team, team }, 1000, { expectedSeconds });
  const counts = { careful: 0, right: 0 };
  for (let number = 0; number < 200; number += 1) {
    const entry = await queue.claim('r', minute);
    assert.ok(entry);
    counts[entry.team as keyof typeof counts] += 1;
    await queue.finish(entry.build, 'r');
  }
  assert.ok(Math.min(counts.careful, counts.right) >= 20, JSON.stringify(counts));
});

test('a build now and then is claimed at once, however many builds of another team wait', async () => {
  const queue = await freshQueue();
  await hungry(queue, { busy: 5 }, 10_000);
  for (let number = 0; number < 10; number += 1) {
    await served(queue, 30);
    await queue.enqueue({ build: `rare-${number}`, project: 'rare', team: 'rare' }, 1);
    const next = await served(queue, 2);
    assert.equal(next.rare, 1, `the ${number + 1}th is not among the next two`);
    await queue.forget(`rare-${number}`);
  }
});

test('who had nothing to build for long has no credit for it', async () => {
  const queue = await freshQueue();
  await hungry(queue, { early: 1 }, 300);
  await served(queue, 250);
  await hungry(queue, { late: 1 }, 100);
  const counts = await served(queue, 40);
  assert.ok((counts.early ?? 0) >= 19 && (counts.late ?? 0) >= 19, JSON.stringify(counts));
});

test('who comes back after a pause is not served before all who waited meanwhile', async () => {
  const queue = await freshQueue();
  await hungry(queue, { early: 1, late: 1 }, 100);
  await queue.setTeam('late', { paused: true });
  await served(queue, 50);
  await queue.setTeam('late', {});
  const counts = await served(queue, 20);
  assert.ok((counts.early ?? 0) >= 9 && (counts.late ?? 0) >= 9, JSON.stringify(counts));
});

test('higher priority comes first in its project, and then who came first', async () => {
  const queue = await freshQueue();
  for (const [build, priority] of [
    ['a', 0],
    ['b', 5],
    ['c', -100],
    ['d', 5],
    ['e', 100],
  ] as const)
    await queue.enqueue({ build, project: 'p', team: 't' }, 10, { priority });
  const order: (string | undefined)[] = [];
  for (let number = 0; number < 5; number += 1) order.push((await queue.claim('h', minute))?.build);
  assert.deepEqual(order, ['e', 'b', 'd', 'a', 'c']);
});

test('a build that waits is told for what: its turn, or the limit that is reached', async () => {
  const queue = await freshQueue();
  for (const build of ['a', 'b', 'c']) await queue.enqueue({ build, project: `p-${build}`, team: 't' }, 1);
  assert.deepEqual(await queue.place('c'), { place: 1, waitsFor: 'turn' });
  await queue.setTeam('t', { limit: 1 });
  assert.equal((await queue.claim('h', minute))?.build, 'a');
  assert.equal(await queue.claim('h', minute), undefined);
  assert.deepEqual(await queue.place('c'), { place: 1, waitsFor: 'team_limit', limit: 1 });
  await queue.setTeam('t', { paused: true });
  assert.deepEqual(await queue.place('c'), { place: 1, waitsFor: 'team_paused' });
  await queue.setTeam('t', {});
  await queue.setFleet({ limit: 1 });
  assert.equal(await queue.claim('h', minute), undefined);
  assert.deepEqual(await queue.place('c'), { place: 1, waitsFor: 'fleet_limit', limit: 1 });
  await queue.setFleet({ drained: true });
  assert.deepEqual(await queue.place('c'), { place: 1, waitsFor: 'drained' });
  await queue.setFleet({});
  assert.equal((await queue.claim('h', minute))?.build, 'b');
  assert.equal(await queue.place('b'), undefined);
});
