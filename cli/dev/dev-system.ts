import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeApiKey } from '../../api/auth/api-key.ts';
import { lockFolder } from '../../contract/folder-lock.ts';
import { readOrCreateSecretFile } from '../../contract/secret-file.ts';
import { freePort } from '../../queue/free-port.ts';
import { startRedisServer } from '../../queue/redis-server.ts';
import type { RunnerConfiguration } from '../../runner/configuration.ts';
import { loadOrCreateKeyFile } from '../../runner/custody/key-file.ts';
import type { ApiReady } from '../api-process.ts';
import { CliError } from '../cli-error.ts';
import { createClient } from '../client.ts';
import { type EbbProcess, startEbbProcess } from './child-process.ts';
import { createDeveloperKey, type DeveloperKey } from './developer-key.ts';

export interface DevSystemOptions {
  /** Everything the system writes lies in here, but for running VMs, which lie on a tmpfs. */
  folder: string;
  /** Folder for images and the like, worth keeping. */
  cacheDir: string;
  /** Port of the API; any free one when 0. */
  port: number;
  /** PostgreSQL instead of PGlite, Redis instead of a child. */
  databaseUrl?: string;
  redisUrl?: string;
  /** Whether VMs prove by a TPM what they booted; `off` when it is not given. */
  measuredBoot?: RunnerConfiguration['EBB_QEMU_MEASURED_BOOT'];
  /** Of Node.js, for API and runner. */
  nodeOptions?: string[];
  signal: AbortSignal;
}

/** The whole of Ebb on one machine: Redis, API with the built-in source host, one runner. */
export interface DevSystem {
  url: string;
  adminKey: string;
  /** SSH port of the built-in source host, on loopback, its folder of repositories, and the key that may push. */
  source: { port: number; repositories: string; hostKey: string };
  developer: DeveloperKey;
  /** By name, to look at and to end. */
  processes: Record<'redis' | 'api' | 'runner', number | undefined>;
  /** Rejects when a part ends unasked. */
  broken: Promise<never>;
  close(): Promise<void>;
}

/** Starts the parts in order and resolves when builds can be accepted and run. Ends what it started when it throws. */
export async function startDevSystem(options: DevSystemOptions): Promise<DevSystem> {
  const started: (() => Promise<void>)[] = [];
  const close = async () => {
    while (started.length > 0) await started.pop()?.();
  };
  try {
    return await start(options, started, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  options: DevSystemOptions,
  started: (() => Promise<void>)[],
  close: () => Promise<void>,
) {
  const paths = await layOut(options.folder);
  started.push(await lockFolder(options.folder));
  const developer = await createDeveloperKey(paths.keys, join(paths.source, 'authorized_keys'));
  await loadOrCreateKeyFile(paths.keyEncryptionKey);
  const redis = options.redisUrl ? undefined : await startRedisServer({ folder: paths.redis });
  if (redis) started.push(redis.close);
  await writeFile(paths.redisUrl, options.redisUrl ?? redis?.url ?? '', { mode: 0o600 });

  // There before the database knows them, so that a start that is cut off loses none.
  const keyFile = (name: string) => readOrCreateSecretFile(join(paths.keys, `${name}.key`), makeApiKey);
  const [adminKey] = await Promise.all([keyFile('admin'), keyFile('runner')]);
  const port = options.port || (await freePort());
  const api = await startEbbProcess<ApiReady>({
    command: 'api',
    environment: apiEnvironment(options, paths, port),
    logFile: join(paths.logs, 'api.log'),
    nodeOptions: options.nodeOptions ?? [],
    signal: options.signal,
  });
  started.push(() => api.stop());
  await checkKeys(api.ready.url, paths.keys);
  const runner = await startEbbProcess({
    command: 'runner',
    environment: runnerEnvironment(options, paths, api.ready.url),
    logFile: join(paths.logs, 'runner.log'),
    nodeOptions: options.nodeOptions ?? [],
    signal: options.signal,
  });
  started.push(() => runner.stop());
  return {
    url: api.ready.url,
    adminKey,
    source: { ...sourceOf(api.ready), repositories: join(paths.source, 'repositories') },
    developer,
    processes: { redis: redis?.pid, api: api.pid, runner: runner.pid },
    broken: whenBroken({ api, runner }, paths.logs),
    close,
  };
}

function sourceOf({ source }: ApiReady) {
  if (!source) throw new CliError('The API started without its built-in source host.');
  return source;
}

async function layOut(folder: string) {
  const paths = {
    database: join(folder, 'database'),
    redis: join(folder, 'redis'),
    redisUrl: join(folder, 'keys', 'redis-url'),
    source: join(folder, 'source'),
    logs: join(folder, 'logs'),
    keys: join(folder, 'keys'),
    apiKeys: join(folder, 'keys', 'api'),
    keyEncryptionKey: join(folder, 'keys', 'runner', 'key-encryption-key.json'),
  };
  for (const path of [paths.database, paths.redis, paths.source, paths.logs, paths.apiKeys]) {
    await mkdir(path, { recursive: true, mode: 0o700 });
  }
  return paths;
}

type Paths = Awaited<ReturnType<typeof layOut>>;

function apiEnvironment(options: DevSystemOptions, paths: Paths, port: number): Record<string, string> {
  return {
    EBB_LISTEN: `127.0.0.1:${port}`,
    EBB_PUBLIC_URL: `http://127.0.0.1:${port}`,
    ...(options.databaseUrl ? { EBB_DATABASE_URL: options.databaseUrl } : { EBB_DATA_DIR: paths.database }),
    EBB_REDIS_URL_FILE: paths.redisUrl,
    EBB_KEYS_DIR: paths.apiKeys,
    EBB_KEY_ENCRYPTION_KEY_FILE: `${paths.keyEncryptionKey}.pub`,
    EBB_LOCAL_SOURCE_DIR: paths.source,
    EBB_MAIL_TO_LOG: 'true',
    // Who reaches this machine's loopback may try all of it.
    EBB_SIGN_UP: 'open',
    EBB_FIRST_ADMIN_KEY_FILE: join(paths.keys, 'admin.key'),
    EBB_FIRST_RUNNER_KEY_FILE: join(paths.keys, 'runner.key'),
  };
}

function runnerEnvironment(options: DevSystemOptions, paths: Paths, url: string): Record<string, string> {
  return {
    EBB_API_URL: url,
    EBB_RUNNER_KEY_FILE: join(paths.keys, 'runner.key'),
    EBB_REDIS_URL_FILE: paths.redisUrl,
    EBB_KEY_ENCRYPTION_KEY_FILE: paths.keyEncryptionKey,
    // A laptop has swap; nobody else's source is built here.
    EBB_ALLOW_HOST_SWAP: 'true',
    // One builds, one waits: a laptop has other things to do.
    EBB_POOL_MAX: '1',
    EBB_CACHE_DIR: options.cacheDir,
    EBB_QEMU_MEASURED_BOOT: options.measuredBoot ?? 'off',
  };
}

/** A database that was made with other keys does not take these. */
async function checkKeys(endpoint: string, folder: string): Promise<void> {
  for (const name of ['admin', 'runner']) {
    const path = join(folder, `${name}.key`);
    const apiKey = await readFile(path, 'utf8');
    await createClient({ endpoint, apiKey })
      .token()
      .catch((error: Error) => {
        throw new CliError(
          `The database does not take the key in ${path}: ${error.message} Put the right key there, or start with an empty folder.`,
        );
      });
  }
}

function whenBroken(processes: Record<string, EbbProcess<unknown>>, logs: string): Promise<never> {
  const broken = Promise.race(
    Object.entries(processes).map(async ([name, child]) => {
      await child.gone;
      throw new CliError(`ebb ${name} has ended. Its log is ${join(logs, `${name}.log`)}.`);
    }),
  );
  broken.catch(() => {});
  return broken as Promise<never>;
}
