import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startRedisServer } from '../queue/redis-server.ts';
import type { Task } from './queue-client.ts';
import { type Measure, median, report, rounded } from './report.ts';
import { type QueueClient, startQueueClient } from './start-queue-client.ts';
import { percentile } from './steady-load.ts';

// Ebb's queue beside BullMQ's, on one Redis with its append-only file, each driven from one process. Whoever measures a
// moment later measures another machine: so rounds of both alternate. The value is the best round's, the ratio the median of
// those of neighbouring rounds.
const seconds = Number(process.env.EBB_BENCH_SECONDS ?? 15);
const waiting = Number(process.env.EBB_BENCH_WAITING ?? 100_000);
const round = Math.min(4_000, waiting / 10);
const bench = 'scheduler';
const teamCounts = [1, 100, 10_000];
// A claim may cost a tenth more each time that the teams are twice as many.
const growthOfDoubling = 0.1;

interface Setting {
  redis: Redis;
  ebb: QueueClient;
  bullmq: QueueClient;
}

const measures: Measure[] = [];
const costs = new Map<number, number>();
for (const teams of teamCounts) await withRedis((setting) => measureThroughput(setting, teams));
await withRedis(measureWaking);
const [fewest = 1, most = 1] = [teamCounts.at(0), teamCounts.at(-1)];
const growth = (costs.get(most) ?? Number.NaN) / (costs.get(fewest) ?? Number.NaN);
const allowed = 1 + growthOfDoubling * Math.log2(most / fewest);
measures.push({
  ...{ bench, measure: `claim and finish, ${most} teams`, value: rounded((costs.get(most) ?? 0) * 1000) },
  ...{
    unit: 'µs',
    against: `1 team: ${rounded((costs.get(fewest) ?? 0) * 1000)} µs`,
    ratio: rounded(growth),
  },
  ...{ target: `ratio <= 1 + 0.1 log2(teams) = ${rounded(allowed)}`, met: growth <= allowed },
});
report(measures);

async function withRedis(measure: (setting: Setting) => Promise<void>): Promise<void> {
  const closing: (() => Promise<unknown>)[] = [];
  try {
    const folder = await mkdtemp(join(tmpdir(), 'ebb-bench-'));
    closing.push(() => rm(folder, { recursive: true, force: true }));
    const server = await startRedisServer({ folder });
    closing.push(server.close);
    const redis = new Redis(server.url);
    closing.push(async () => redis.disconnect());
    const ebb = await startQueueClient('ebb', server.url);
    closing.push(ebb.close);
    const bullmq = await startQueueClient('bullmq', server.url);
    closing.push(bullmq.close);
    await measure({ redis, ebb, bullmq });
  } finally {
    while (closing.length > 0) await closing.pop()?.();
  }
}

async function measureThroughput(setting: Setting, teams: number): Promise<void> {
  const { redis } = setting;
  const bytes = { ebb: 0, bullmq: 0 };
  const size = waiting / 10;
  let first = 0;
  const filling = async (client: 'ebb' | 'bullmq') => {
    const before = await usedMemory(redis);
    const ms = await setting[client].run({ do: 'enqueue', first, count: size, teams });
    bytes[client] += (await usedMemory(redis)) - before;
    return ms;
  };
  const enqueue = [];
  for (; first < waiting; first += size)
    enqueue.push({ ebb: await filling('ebb'), bullmq: await filling('bullmq') });
  addRate(`enqueue, ${of(teams)}`, enqueue, size, 1);
  const memory = {
    ebb: bytes.ebb / waiting,
    bullmq: bytes.bullmq / waiting,
    ratio: bytes.ebb / bytes.bullmq,
  };
  addMeasure(`memory of a waiting build, ${of(teams)}`, 'bytes', memory, 'ratio <= 1', memory.ratio <= 1);

  const mix = await alternate(setting, Number.POSITIVE_INFINITY, () => {
    first += round;
    return { do: 'mix', first, count: round, teams };
  });
  addRate(`enqueue, claim and finish, ${of(teams)}`, mix, round, 1.5);
  const serve = await alternate(setting, waiting / 2, () => ({ do: 'serve', count: round }));
  costs.set(teams, addRate(`claim and finish, ${of(teams)}`, serve, round, 1.5));
  const work = compare(serve, ([, ms = Number.NaN]) => (ms * 1000) / round, Math.min);
  addMeasure(`Redis's work for a claim and finish, ${of(teams)}`, 'µs', work, 'ratio <= 1', work.ratio <= 1);
}

function of(teams: number): string {
  return teams === 1 ? '1 team' : `${teams} teams`;
}

type Times = { ebb: number[]; bullmq: number[] }[];

/** Rounds of both in turn for as long as the benchmark is to last, three at least, and up to so many builds. */
async function alternate(setting: Setting, builds: number, task: () => Task) {
  const times: Times = [];
  const end = performance.now() + seconds * 1000;
  while (times.length < 3 || (performance.now() < end && (times.length + 1) * round <= builds)) {
    const next = task();
    times.push({ ebb: await workOf(setting, 'ebb', next), bullmq: await workOf(setting, 'bullmq', next) });
  }
  return times;
}

/** How long the task takes, and how long Redis computes for it; ms. */
async function workOf({ redis, ...clients }: Setting, who: 'ebb' | 'bullmq', task: Task): Promise<number[]> {
  const before = await computedMs(redis);
  const times = await clients[who].run(task);
  return [...times, (await computedMs(redis)) - before];
}

async function computedMs(redis: Redis): Promise<number> {
  const cpu = await redis.info('cpu');
  const seconds = (kind: string) =>
    Number(new RegExp(`used_cpu_${kind}_main_thread:([0-9.]+)`).exec(cpu)?.[1]);
  return (seconds('user') + seconds('sys')) * 1000;
}

/** From when a build is added to an idle queue until who waits there has it. */
async function measureWaking({ ebb, bullmq }: Setting): Promise<void> {
  const times: Times = [];
  for (let number = 0; number < 5; number += 1) {
    const task: Task = { do: 'wake', count: Math.ceil(seconds * 20) };
    times.push({ ebb: await ebb.run(task), bullmq: await bullmq.run(task) });
  }
  for (const share of [0.5, 0.99]) {
    const at = (ms: number[]) =>
      percentile(
        ms.toSorted((a, b) => a - b),
        share,
      );
    const compared = compare(times, at, Math.min);
    addMeasure(
      `p${share * 100} from enqueue to claim, idle`,
      'ms',
      compared,
      'ratio <= 1',
      compared.ratio <= 1,
    );
  }
}

/** Of both the best round, and the median of how they compare in rounds that follow each other. */
function compare(times: Times, value: (ms: number[]) => number, better: (...values: number[]) => number) {
  const rounds = times.map(({ ebb, bullmq }) => ({ ebb: value(ebb), bullmq: value(bullmq) }));
  return {
    ebb: better(...rounds.map(({ ebb }) => ebb)),
    bullmq: better(...rounds.map(({ bullmq }) => bullmq)),
    ratio: median(rounds.map(({ ebb, bullmq }) => ebb / bullmq)),
  };
}
type Compared = ReturnType<typeof compare>;

/** Adds builds a second of both, and gives what a build costs Ebb's queue, in ms. */
function addRate(measure: string, times: Times, builds: number, least: number): number {
  const compared = compare(times, ([ms = Number.NaN]) => (builds * 1000) / ms, Math.max);
  addMeasure(measure, 'builds/s', compared, `ratio >= ${least}`, compared.ratio >= least);
  return 1000 / compared.ebb;
}

function addMeasure(measure: string, unit: string, compared: Compared, target: string, met: boolean): void {
  const against = `BullMQ: ${rounded(compared.bullmq)} ${unit}`;
  const ratio = rounded(compared.ratio);
  measures.push({ bench, measure, value: rounded(compared.ebb), unit, against, ratio, target, met });
}

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
}
