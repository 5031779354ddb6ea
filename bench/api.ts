import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import autocannon from 'autocannon';
import pg from 'pg';
import { freePort } from '../queue/free-port.ts';
import { startRedis } from '../queue/test-redis.ts';
import { type ApiForTests, startApi } from '../test/api-for-tests.ts';
import { startPostgres } from '../test/postgres.ts';
import { declareProjects } from './declare-projects.ts';
import { fanOut } from './fan-out.ts';
import { type Measure, median, report, rounded } from './report.ts';
import { startFloor } from './start-floor.ts';

// What people and programs ask the API for, beside what the same answers cost without Ebb: a bare Fastify route that gives
// the same JSON, and PostgreSQL that is given the same row of a build in transactions of its own. Rounds alternate.
const bench = 'api';
const connections = 50;
const seconds = Number(process.env.EBB_BENCH_SECONDS ?? 5);
const rounds = Number(process.env.EBB_BENCH_ROUNDS ?? 3);
const projectCount = 10;
const listed = 100;
const waiting = 3;
const poolSize = 10;

interface Created {
  id: string;
}

const root = await mkdtemp(join(tmpdir(), 'ebb-bench-'));
const closing: (() => unknown)[] = [() => rm(root, { recursive: true, force: true })];
try {
  const postgres = await startPostgres(undefined, 'on');
  closing.push(postgres.close);
  const redis = await startRedis();
  closing.push(redis.close);
  const inspected = await freePort();
  const folder = join(root, 'api');
  const api = await startApi({
    ...{ folder, databaseUrl: postgres.url, redisUrl: redis.url, signal: AbortSignal.timeout(60_000) },
    environment: {
      NODE_OPTIONS: `--inspect=127.0.0.1:${inspected}`,
      EBB_REQUESTS_PER_MINUTE: '1000000',
    },
  });
  closing.push(api.stop);
  const floor = await startFloor();
  closing.push(floor.close);
  const projects = await declareProjects(api, projectCount);
  const ids = await makeBuilds(api, projects);
  const authorization = `Bearer ${await api.client.token()}`;

  const answers = async (measure: string, paths: string[], target: number): Promise<Measure> => {
    floor.answer(await api.client.get<object>(paths[0] ?? ''));
    const measured = { ebb: [] as number[], floor: [] as number[] };
    const asked = { url: api.url, headers: { authorization }, requests: paths.map((path) => ({ path })) };
    await throughput(asked);
    for (let round = 0; round < rounds; round += 1) {
      measured.floor.push(await throughput({ url: floor.url }));
      measured.ebb.push(await throughput(asked));
    }
    return compared({
      ...{ measure, unit: 'requests/s', target, beside: 'bare Fastify, same JSON' },
      ...{ ebb: median(measured.ebb), floor: median(measured.floor) },
    });
  };
  const measures = [
    await answers(
      'GET /v1/builds/:id',
      ids.map((id) => `/v1/builds/${id}`),
      0.5,
    ),
    await answers(`GET /v1/builds?limit=${listed}`, [`/v1/builds?limit=${listed}`], 0.25),
    await creations(api, postgres.url, { projects, authorization }),
    ...(await fanOut(api, { folder, redisUrl: redis.url, inspected, closing })),
  ];
  report(measures);
} finally {
  while (closing.length > 0) await closing.pop()?.();
}

/** As a team's list of builds is: the last few wait, those before are over. Gives the ids of these. */
async function makeBuilds({ client }: ApiForTests, projects: string[]): Promise<string[]> {
  const ids: string[] = [];
  for (let number = 0; number < listed; number += 1) {
    const { id } = await client.post<Created>('/v1/builds', { project_id: projects[number % projectCount] });
    if (number < listed - waiting) ids.push(id);
  }
  for (const id of ids) await client.post(`/v1/builds/${id}/cancel`);
  const isOver = async (id = '') =>
    (await client.get<{ state: string }>(`/v1/builds/${id}`)).state === 'cancelled';
  while (!(await isOver(ids.at(-1)))) await delay(100);
  return ids;
}

/** Requests per second that were answered with success. */
async function throughput(options: autocannon.Options): Promise<number> {
  const result = await autocannon({ connections, duration: seconds, ...options });
  if (result.non2xx + result.errors > 0)
    throw new Error(
      `${options.url}: ${result.non2xx} answers without success, ${result.errors} errors, of ${result.requests.total}`,
    );
  return result.requests.average;
}

/** Builds by request, of all projects in turn, beside their rows alone. */
async function creations(
  { url }: ApiForTests,
  databaseUrl: string,
  { projects, authorization }: { projects: string[]; authorization: string },
): Promise<Measure> {
  const headers = { authorization, 'content-type': 'application/json' };
  const requests = projects.map((project) => ({ body: JSON.stringify({ project_id: project }) }));
  const measured = { ebb: [] as number[], floor: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    measured.floor.push(await insertRate(databaseUrl));
    measured.ebb.push(await throughput({ url: `${url}/v1/builds`, method: 'POST', headers, requests }));
  }
  return compared({
    ...{ measure: 'POST /v1/builds', unit: 'builds/s', target: 0.6 },
    ...{ ebb: median(measured.ebb), floor: median(measured.floor) },
    beside: 'PostgreSQL, the row of each alone, in a transaction',
  });
}

/** Rows of builds that PostgreSQL takes a second, each in a transaction, from as many connections as the API has. */
async function insertRate(connectionString: string): Promise<number> {
  const pool = new pg.Pool({ connectionString, max: poolSize });
  const columns = await pool.query(
    `select string_agg(quote_ident(column_name), ', ') as names from information_schema.columns
     where table_name = 'build' and column_name not in ('id', 'number') and is_generated = 'NEVER'`,
  );
  const { names } = columns.rows[0];
  const sample = await pool.query('select id from build order by id desc limit 1');
  const text = `insert into build (id, number, ${names})
    select 'bench_' || $1::bigint, 1000000000 + $1::bigint % 1000000000, ${names} from build where id = $2`;
  const end = performance.now() + seconds * 1000;
  let count = Math.floor(performance.now());
  const first = count;
  await Promise.all(
    Array.from({ length: poolSize }, async () => {
      while (performance.now() < end) {
        count += 1;
        await pool.query({ name: 'insert', text, values: [count, sample.rows[0].id] });
      }
    }),
  );
  await pool.query(`delete from build where id like 'bench_%'`);
  await pool.end();
  return (count - first) / seconds;
}

function compared(o: {
  measure: string;
  ebb: number;
  floor: number;
  unit: string;
  beside: string;
  target: number;
}): Measure {
  const ratio = o.ebb / o.floor;
  return {
    ...{ bench, measure: o.measure, value: rounded(o.ebb, 0), unit: o.unit },
    ...{ against: `${o.beside}: ${rounded(o.floor, 0)} ${o.unit}`, ratio: rounded(ratio, 3) },
    ...{ target: `ratio >= ${o.target}`, met: ratio >= o.target },
  };
}
