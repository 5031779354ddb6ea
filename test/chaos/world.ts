import { createPrivateKey, type JsonWebKey } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectDatabase, type Database } from '../../api/db/database.ts';
import { type ConfiguredRedis, startConfiguredRedis } from '../../queue/redis-for-tests.ts';
import { loadOrCreateKeyFile } from '../../runner/custody/key-file.ts';
import { startApi } from '../api-for-tests.ts';
import { type PostgresForTests, startPostgres } from '../postgres.ts';
import { startTcpProxy, type TcpProxy } from '../tcp-proxy.ts';
import type { Link } from './plan.ts';
import { type RunnerProcess, type Runners, superviseRunners } from './runners.ts';
import { type SupervisedApi, superviseApi } from './supervised-api.ts';

/** What a runner is started with. */
export interface RunnerSetting {
  name: string;
  /** Its variables, but for those about its VMs. */
  environment: Record<string, string>;
  logFile: string;
}

// A runner that is asked to stop has builds left after this time, which it hands over.
const drainSeconds = 1;

/** All of Ebb in processes of its own, with proxies between them. */
export interface World {
  folder: string;
  /** The API, and the folder of its built-in source host; not by way of a proxy. */
  api: SupervisedApi & { url: string; repositories: string };
  postgres: PostgresForTests;
  redis: ConfiguredRedis;
  /** Not by way of a proxy. */
  database: Database;
  runners: Runners;
  network: Record<Exclude<Link, 'runner-vm'>, TcpProxy>;
  close(): Promise<void>;
}

/**
 * The caller closes it. With EBB_CHAOS_KEEP the logs stay.
 *
 * @param startRunner starts a runner and resolves when it is up
 */
export async function openWorld(
  startRunner: (setting: RunnerSetting) => Promise<RunnerProcess>,
  runnerCount: number,
): Promise<World> {
  const opened: (() => Promise<unknown>)[] = [];
  const close = async () => {
    while (opened.length > 0) await opened.pop()?.();
  };
  try {
    return { ...(await open(startRunner, runnerCount, opened)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function open(
  startRunner: (setting: RunnerSetting) => Promise<RunnerProcess>,
  runnerCount: number,
  opened: (() => Promise<unknown>)[],
): Promise<Omit<World, 'close'>> {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-chaos-'));
  if (!process.env.EBB_CHAOS_KEEP) opened.push(() => rm(folder, { recursive: true, force: true }));
  const postgres = await startPostgres();
  opened.push(postgres.close);
  const redis = await startConfiguredRedis();
  opened.push(redis.close);
  const proxy = async (port: number) => {
    const started = await startTcpProxy(port);
    opened.push(started.close);
    return started;
  };
  const throughProxy = (url: string, { port }: TcpProxy) => {
    const changed = new URL(url);
    changed.port = String(port);
    return changed.href.replace(/\/$/, '');
  };
  const [apiPostgres, apiRedis, runnerRedis] = await Promise.all([
    proxy(Number(new URL(postgres.url).port)),
    proxy(redis.port),
    proxy(redis.port),
  ]);
  await mkdir(join(folder, 'runner'));
  const keyFile = join(folder, 'runner', 'key-encryption-key.json');
  const { privateKey } = await loadOrCreateKeyFile(keyFile);
  const api = await startApi({
    folder: join(folder, 'api'),
    databaseUrl: throughProxy(postgres.url, apiPostgres),
    redisUrl: throughProxy(redis.url, apiRedis),
    keyEncryptionKey: createPrivateKey({ key: privateKey as JsonWebKey, format: 'jwk' }),
    signal: AbortSignal.timeout(3_600_000),
  });
  const supervised = superviseApi(api);
  opened.push(supervised.stop);
  const runnerApi = await proxy(Number(new URL(api.url).port));
  const apiKey = await readFile(join(folder, 'api', 'runner.key'), 'utf8');
  const apiKeyFile = join(folder, 'runner', 'runner.key');
  await writeFile(apiKeyFile, apiKey, { mode: 0o600 });
  const runners = await superviseRunners(runnerCount, (name) =>
    startRunner({
      name,
      environment: {
        EBB_RUNNER_NAME: name,
        EBB_API_URL: throughProxy(api.url, runnerApi),
        EBB_REDIS_URL: throughProxy(redis.url, runnerRedis),
        EBB_RUNNER_KEY_FILE: apiKeyFile,
        EBB_KEY_ENCRYPTION_KEY_FILE: keyFile,
        EBB_METRICS_LISTEN: '127.0.0.1:0',
        EBB_DRAIN_SECONDS: String(drainSeconds),
      },
      logFile: join(folder, `${name}.log`),
    }),
  );
  opened.push(runners.stop);
  const database = await connectDatabase({ url: postgres.url });
  opened.push(() => database.destroy());
  return {
    ...{ folder, postgres, redis, database, runners },
    api: { ...supervised, url: api.url, repositories: api.repositories },
    network: {
      'api-postgres': apiPostgres,
      'api-redis': apiRedis,
      'runner-redis': runnerRedis,
      'runner-api': runnerApi,
    },
  };
}
