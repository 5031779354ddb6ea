import { fork } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { freePort } from '../queue/free-port.ts';
import { startRedis } from '../queue/test-redis.ts';
import { type ApiForTests, startApi } from '../test/api-for-tests.ts';
import { startPostgres } from '../test/postgres.ts';
import { type Memory, watchMemory } from '../test/watch-memory.ts';
import { declareProjects } from './declare-projects.ts';
import { type Measure, median, report, rounded } from './report.ts';
import { percentile } from './steady-load.ts';

// Builds that arrive steadily at an API and a runner, each a process of its own, with VMs that are stand-ins: what they
// hold and how long a build takes must not grow. Compared are thirds of the run; the first of memory is left out.
const seconds = Number(process.env.EBB_BENCH_SECONDS ?? 600);
const rate = Number(process.env.EBB_BENCH_RATE ?? 5);
const slots = 10;
const projectCount = 10;
const lookEveryMs = Math.min(5_000, (seconds * 1000) / 30);
const bench = 'soak';

const root = await mkdtemp(join(tmpdir(), 'ebb-bench-'));
const closing: (() => unknown)[] = [() => rm(root, { recursive: true, force: true })];
try {
  const postgres = await startPostgres();
  closing.push(postgres.close);
  const redis = await startRedis();
  closing.push(redis.close);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const inspected = { api: await freePort(), runner: await freePort() };
  const folder = join(root, 'api');
  const api = await startApi({
    ...{ folder, databaseUrl: postgres.url, redisUrl: redis.url, keyEncryptionKey: privateKey },
    environment: { NODE_OPTIONS: `--inspect=127.0.0.1:${inspected.api}` },
    signal: AbortSignal.timeout(60_000),
  });
  closing.push(api.stop);
  const keyFile = join(root, 'key.json');
  await writeFile(keyFile, JSON.stringify(privateKey.export({ format: 'jwk' })), { mode: 0o600 });
  const runnerPid = await startRunner({
    ...{ EBB_API_URL: api.url, EBB_REDIS_URL: redis.url, EBB_KEY_ENCRYPTION_KEY_FILE: keyFile },
    ...{ EBB_RUNNER_KEY: await readFile(join(folder, 'runner.key'), 'utf8'), EBB_SLOTS: String(slots) },
    NODE_OPTIONS: `--inspect=127.0.0.1:${inspected.runner}`,
  });
  const projects = await declareProjects(api, projectCount, { concurrency: slots });
  const looks = {
    api: await watchMemory(api.pid(), inspected.api),
    runner: await watchMemory(runnerPid, inspected.runner),
  };
  const [memory] = await Promise.all([watch(looks), arrive(api, projects)]);
  const database = new pg.Client({ connectionString: postgres.url });
  await database.connect();
  const times = await buildTimes(database);
  await database.end();
  looks.api.close();
  looks.runner.close();
  report([
    ...(['api', 'runner'] as const).flatMap((who) => [
      grown(
        `heap of the ${who} after a collection`,
        memory[who].map(({ heap }) => heap),
      ),
      grown(
        `memory of the ${who}`,
        memory[who].map(({ rss }) => rss),
      ),
    ]),
    slower(
      'p99 from enqueue to claim',
      times.map(({ claimed }) => claimed),
    ),
    slower(
      'p99 from creation to end',
      times.map(({ finished }) => finished),
    ),
  ]);
} finally {
  while (closing.length > 0) await closing.pop()?.();
}

async function startRunner(environment: Record<string, string>): Promise<number> {
  const { PATH = '' } = process.env;
  const file = fileURLToPath(new URL('soak-runner.ts', import.meta.url));
  const child = fork(file, { env: { PATH, ...environment } });
  const gone = once(child, 'exit');
  closing.push(async () => {
    child.kill('SIGTERM');
    await gone;
  });
  await Promise.race([
    once(child, 'message'),
    gone.then(([code]) => Promise.reject(new Error(`The runner ended with ${code}.`))),
  ]);
  return child.pid ?? 0;
}

/** Starts builds at the rate, whether or not the API keeps up, and waits until each was accepted. */
async function arrive({ client }: ApiForTests, projects: string[]): Promise<void> {
  const start = performance.now();
  const accepted: Promise<unknown>[] = [];
  for (let number = 0; number < seconds * rate; number += 1) {
    await delay(Math.max(0, start + (number * 1000) / rate - performance.now()));
    accepted.push(client.post('/v1/builds', { project_id: projects[number % projects.length] }));
  }
  await Promise.all(accepted);
}

async function watch(looks: Record<'api' | 'runner', { look(): Promise<Memory> }>) {
  const memory: Record<'api' | 'runner', Memory[]> = { api: [], runner: [] };
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    await delay(lookEveryMs);
    for (const who of ['api', 'runner'] as const) memory[who].push(await looks[who].look());
  }
  return memory;
}

/** Of each build that passed, in the order of arrival, how long it waited and how long it took; ms. */
async function buildTimes(database: pg.Client): Promise<{ claimed: number; finished: number }[]> {
  const unfinished = `select 1 from build where finished_at is null limit 1`;
  while ((await database.query(unfinished)).rows.length > 0) await delay(500);
  const ms = (from: string, to: string) => `extract(epoch from ${to} - ${from})::float8 * 1000`;
  const { rows } = await database.query(
    `select state, ${ms('queued_at', 'started_at')} as claimed, ${ms('queued_at', 'finished_at')} as finished
     from build order by queued_at`,
  );
  const failed = rows.filter(({ state }) => state !== 'passed').length;
  if (failed > 0) throw new Error(`${failed} of ${rows.length} builds did not pass.`);
  return rows;
}

function thirds(values: number[]): [number[], number[], number[]] {
  const size = Math.floor(values.length / 3);
  return [values.slice(0, size), values.slice(size, 2 * size), values.slice(2 * size)];
}

function grown(measure: string, values: number[]): Measure {
  const [, before, after] = thirds(values);
  return flat({
    measure,
    before: median(before),
    value: median(after),
    unit: 'MB',
    third: 'second',
    most: 1.1,
  });
}

function slower(measure: string, values: number[]): Measure {
  const [first, , last] = thirds(values).map((third) =>
    percentile(
      third.toSorted((a, b) => a - b),
      0.99,
    ),
  );
  return flat({ measure, before: first ?? 0, value: last ?? 0, unit: 'ms', third: 'first', most: 1.5 });
}

function flat(o: {
  measure: string;
  before: number;
  value: number;
  unit: string;
  third: string;
  most: number;
}) {
  const ratio = o.value / o.before;
  return {
    ...{ bench, measure: `${o.measure}, last third`, value: rounded(o.value, 1), unit: o.unit },
    ...{ against: `${o.third} third: ${rounded(o.before, 1)} ${o.unit}`, ratio: rounded(ratio) },
    ...{ target: `ratio <= ${o.most}`, met: ratio <= o.most },
  };
}
