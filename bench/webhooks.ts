import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { createGitClient } from '../api/source-hosts/git-client.ts';
import { startGithub } from '../api/source-hosts/github/github-for-tests.ts';
import { pushPayload, repositoryPayload } from '../api/source-hosts/github/github-payloads-for-tests.ts';
import { startRedis } from '../queue/test-redis.ts';
import { startApi } from '../test/api-for-tests.ts';
import { startPostgres } from '../test/postgres.ts';
import { report, rounded } from './report.ts';
import type { Load, Result } from './send-webhooks.ts';
import { startFloor } from './start-floor.ts';
import { percentile } from './steady-load.ts';

// Intake of GitHub's pushes of 25 KB: HMAC over the body, then on the disk of PostgreSQL before the answer. The floor is
// a bare Fastify route that parses the same bodies. The same client makes and signs each request of both.
const connections = 50;
const seconds = Number(process.env.EBB_BENCH_SECONDS ?? 15);
const size = 25_000;
const commit = '0123456789abcdef0123456789abcdef01234567';

const root = await mkdtemp(join(tmpdir(), 'ebb-bench-'));
const closing: (() => Promise<unknown>)[] = [() => rm(root, { recursive: true, force: true })];
try {
  const ebb = await startEbb();
  const { url: floor, close } = await startFloor();
  closing.push(close);
  const { url, secret } = ebb.hook;
  const sender = startSender();
  const push = { template: makeTemplate(ebb.payload), commit, secret, connections };
  await sender({ ...push, url: floor, seconds: 3 });
  await sender({ ...push, url, seconds: 3 });
  await ebb.settled();

  const { rate: bare = 0 } = await sender({ ...push, url: floor, seconds });
  const { rate: intake = 0 } = await sender({ ...push, url, seconds });
  await ebb.settled();
  const rate = Math.round(intake / 2);
  const { times = [] } = await sender({ ...push, url, seconds, rate });
  await ebb.settled();
  const { times: bareTimes = [] } = await sender({ ...push, url: floor, seconds, rate });
  const p99 = rounded(percentile(times, 0.99));
  const bareP99 = rounded(percentile(bareTimes, 0.99));

  const ratio = intake / bare;
  const bench = 'webhooks';
  report([
    {
      ...{ bench, measure: 'intake of pushes', value: rounded(intake), unit: 'requests/s' },
      ...{ against: `bare Fastify JSON route: ${rounded(bare)} requests/s`, ratio: rounded(ratio, 3) },
      ...{ target: 'ratio >= 0.35', met: ratio >= 0.35 },
    },
    {
      ...{ bench, measure: `p99 of the answer at ${rate} requests/s`, value: p99 },
      ...{
        unit: 'ms',
        against: `bare Fastify JSON route: ${bareP99} ms`,
        ratio: rounded(p99 / bareP99),
        target: '<= 25 ms',
        met: p99 <= 25,
      },
    },
  ]);
} finally {
  while (closing.length > 0) await closing.pop()?.();
}

async function startEbb() {
  const postgres = await startPostgres(undefined, 'on');
  closing.push(postgres.close);
  const redis = await startRedis();
  closing.push(redis.close);
  const github = await startGithub(join(root, 'github'));
  closing.push(github.close);
  const signal = AbortSignal.timeout(600_000);
  const parts = { databaseUrl: postgres.url, redisUrl: redis.url, signal };
  const api = await startApi({ folder: join(root, 'api'), ...parts });
  closing.push(() => api.stop());
  const repository = 'acme/shop';
  const stored = await github.addRepository(repository);
  const git = await createGitClient();
  const developer = await git.makeKey();
  await github.git.authorizeUser(developer.publicKey);
  await git.commitAndPush(github.git.host.clone(repository), developer, 'First', 'main');
  await git.close();
  const connection = await api.client.post<{ id: string }>('/v1/connections', {
    ...{ name: 'github', kind: 'github', url: github.url, ssh_address: github.sshAddress },
    token: github.token.value,
  });
  const project = await api.client.post<{ id: string }>('/v1/projects', {
    ...{ connection_id: connection.id, name: 'shop', repository },
  });
  await api.client.post('/v1/deploy-keys', { project_id: project.id });
  await api.client.post('/v1/hook-bindings', { project_id: project.id, branches: ['main'] });
  const [hook] = stored.hooks.values();
  const database = new pg.Client({ connectionString: postgres.url });
  await database.connect();
  closing.push(() => database.end());
  return {
    hook: { url: hook?.config.url ?? '', secret: hook?.config.secret ?? '' },
    payload: repositoryPayload(stored, github.url),
    /** Drops what waits, so that no measure pays for the one before. */
    async settled() {
      await database.query('delete from webhook_delivery');
    },
  };
}

/** A process of its own, so that neither its pauses nor its memory are anybody else's. */
function startSender(): (load: Load) => Promise<Result> {
  const child = fork(fileURLToPath(new URL('send-webhooks.ts', import.meta.url)));
  closing.push(async () => void child.kill('SIGTERM'));
  return async (load) => {
    const result = new Promise<Result>((resolve) => child.once('message', (told) => resolve(told as Result)));
    child.send(load);
    const { error, ...rest } = await result;
    if (error) throw new Error(error);
    return rest;
  };
}

/** A push of 25 KB whose only commit is `commit`, many times. */
function makeTemplate(repository: Record<string, unknown>): string {
  const payload = pushPayload(repository, {
    ...{ event: 'push', delivery: '', repository: 'acme/shop', deleted: false, skip: false },
    ...{ ref: 'refs/heads/main', before: '1'.repeat(40), commit, message: 'A change', author: 'Ada' },
  });
  const commits: unknown[] = [];
  while (JSON.stringify({ ...payload, commits }).length < size) commits.push(payload.head_commit);
  return JSON.stringify({ ...payload, commits });
}
