import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import pg from 'pg';
import { commit } from '../api/test-client.ts';
import { createClient } from '../cli/client.ts';
import { createRepository } from '../cli/dev/repository.ts';
import { freePort } from '../queue/free-port.ts';
import { createRedisQueue } from '../queue/redis-queue.ts';
import { startRedis } from '../queue/test-redis.ts';
import { type ApiForTests, startApi } from '../test/api-for-tests.ts';
import { startPostgres } from '../test/postgres.ts';
import { watchMemory } from './process-memory.ts';
import { type Measure, median, report, rounded } from './report.ts';
import { startFloor } from './start-floor.ts';

// What people and programs ask the API for, beside what the same answers cost without Ebb: a bare Fastify route that gives
// the same JSON, and PostgreSQL that is given the same row of a build in transactions of its own. Rounds alternate.
const bench = 'api';
const connections = 50;
const seconds = Number(process.env.EBB_BENCH_SECONDS ?? 5);
const rounds = Number(process.env.EBB_BENCH_ROUNDS ?? 3);
const watchers = Number(process.env.EBB_BENCH_WATCHERS ?? 500);
const fewWatchers = 10;
const projectCount = 10;
const listed = 100;
const line = `${'a line that a test prints, of the usual length of those that people read'.padEnd(79)}\n`;
const linesAtOnce = 50;
const totalLines = Number(process.env.EBB_BENCH_LINES ?? 4_000);
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
  const projects = await declareProjects(api);
  for (let number = 0; number <= listed; number += 1)
    await api.client.post('/v1/builds', { project_id: projects[number % projectCount] });
  const authorization = `Bearer ${await api.client.token()}`;

  const answers = async (path: string, target: number): Promise<Measure> => {
    floor.answer(await api.client.get<object>(path));
    const measured = { ebb: [] as number[], floor: [] as number[] };
    const rate = async (url: string, headers = {}) => await throughput({ url, headers });
    await rate(`${api.url}${path}`, { authorization });
    for (let round = 0; round < rounds; round += 1) {
      measured.floor.push(await rate(floor.url));
      measured.ebb.push(await rate(`${api.url}${path}`, { authorization }));
    }
    return compared({
      ...{ measure: `GET ${path.replace(/bld_\w+/, ':id')}`, unit: 'requests/s', target },
      ...{ ebb: median(measured.ebb), floor: median(measured.floor), beside: 'bare Fastify, same JSON' },
    });
  };
  const { items } = await api.client.get<{ items: Created[] }>(`/v1/builds?limit=1`);
  const [{ id } = { id: '' }] = items;
  await api.client.post(`/v1/builds/${id}/cancel`);
  while ((await api.client.get<{ state: string }>(`/v1/builds/${id}`)).state === 'queued') await delay(100);
  const measures = [
    await answers(`/v1/builds/${id}`, 0.5),
    await answers(`/v1/builds?limit=${listed}`, 0.25),
    await creations(api, postgres.url, { projects, authorization }),
    ...(await fanOut(api, { folder, redisUrl: redis.url, inspected })),
  ];
  report(measures);
} finally {
  while (closing.length > 0) await closing.pop()?.();
}

async function declareProjects({ client, repositories }: ApiForTests): Promise<string[]> {
  await commit(await createRepository(repositories, 'shop'));
  const connection = await client.post<Created>('/v1/connections', { name: 'local', kind: 'local' });
  const ids: string[] = [];
  for (let number = 0; number < projectCount; number += 1) {
    const declared = { connection_id: connection.id, repository: 'shop', name: `shop-${number}` };
    const { id } = await client.post<Created>('/v1/projects', { ...declared, test: ['npm test'] });
    await client.post('/v1/deploy-keys', { project_id: id });
    ids.push(id);
  }
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
    select 'bench_' || $1, 1000000000 + $1, ${names} from build where id = $2`;
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

/** A log that grows while many watch it. */
async function fanOut(
  api: ApiForTests,
  o: { folder: string; redisUrl: string; inspected: number },
): Promise<Measure[]> {
  const build = await beginBuild(api, o);
  const memory = await watchMemory(api.pid(), o.inspected);
  closing.push(memory.close);
  const child = fork(fileURLToPath(new URL('log-watchers.ts', import.meta.url)));
  closing.push(() => child.kill('SIGTERM'));
  const watch = async (count: number) => {
    const url = `${api.url}/v1/builds/${build.id}/events`;
    child.send({ url, token: await api.client.token(), watchers: count });
    await once(child, 'message');
  };
  await watch(fewWatchers);
  await build.print(linesAtOnce);
  await delay(2_000);
  const before = await memory.look();
  await watch(watchers);
  await delay(2_000);
  const after = await memory.look();
  const kilobytes = ((after.rss - before.rss) * 1024) / (watchers - fewWatchers);
  const start = performance.now();
  for (let printed = 0; printed < totalLines; printed += linesAtOnce) await build.print(linesAtOnce);
  const read = once(child, 'message');
  child.send({ end: build.length() });
  await read;
  const took = (performance.now() - start) / 1000;
  const rate = (totalLines * watchers) / took;
  const heap = rounded(((after.heap - before.heap) * 1024) / (watchers - fewWatchers), 1);
  return [
    {
      ...{ bench, measure: `lines to ${watchers} watchers of one log, in sum`, value: Math.round(rate) },
      ...{ unit: 'lines/s', against: null, ratio: null, target: '>= 50000', met: rate >= 50_000 },
    },
    {
      ...{ bench, measure: 'memory of the API per watcher', value: rounded(kilobytes, 1), unit: 'KB' },
      ...{ against: `of it on the heap: ${heap} KB`, ratio: null, target: '<= 60', met: kilobytes <= 60 },
    },
  ];
}

/** A build that a runner has claimed, which this one is; `print` appends lines to its log. */
async function beginBuild(api: ApiForTests, { folder, redisUrl }: { folder: string; redisUrl: string }) {
  const queue = await createRedisQueue({ url: redisUrl });
  closing.push(queue.close);
  const apiKey = await readFile(join(folder, 'runner.key'), 'utf8');
  const runner = createClient({ endpoint: api.url, apiKey });
  const holder = 'bench/1';
  const entry = await queue.claim(holder, 600_000);
  if (!entry) throw new Error('No build waits.');
  const claimed = await runner.post<{ token: string; attempt: number }>(`/v1/builds/${entry.build}/claim`, {
    lease_holder: holder,
  });
  const headers = {
    authorization: `Bearer ${claimed.token}`,
    'content-type': 'application/octet-stream',
  };
  let offset = 0;
  return {
    id: entry.build,
    length: () => offset,
    async print(lines: number) {
      const body = line.repeat(lines);
      const url = `${api.url}/v1/builds/${entry.build}/log?attempt=${claimed.attempt}&offset=${offset}`;
      const answer = await fetch(url, { method: 'POST', headers, body });
      if (!answer.ok)
        throw new Error(`A part of the log was answered ${answer.status}: ${await answer.text()}`);
      offset += body.length;
    },
  };
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
