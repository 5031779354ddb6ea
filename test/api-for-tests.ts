import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeApiKey } from '../api/auth/api-key.ts';
import type { ApiReady } from '../cli/api-process.ts';
import { type Client, createClient } from '../cli/client.ts';
import { type EbbProcess, startEbbProcess } from '../cli/dev/child-process.ts';
import { freePort } from '../queue/free-port.ts';

/** The API alone as a process of its own, that a test may kill and start again at the same address. */
export interface ApiForTests {
  url: string;
  pid(): number;
  /** Folder of bare repositories of its built-in source host. */
  repositories: string;
  adminKey: string;
  client: Client;
  /** Kills it without warning, and starts it again, after `meanwhile`. Throws when it does not come up. */
  killAndRestart(meanwhile?: () => Promise<unknown>): Promise<void>;
  /** Starts it again after it did not come up. */
  startAgain(): Promise<void>;
  /** Of the process that runs now: resolves when it is gone. */
  gone(): Promise<void>;
  stop(): Promise<void>;
}

export async function startApi(options: {
  folder: string;
  databaseUrl: string;
  redisUrl: string;
  /** Private half of the key-encryption key, of which the API gets the other; a new one when absent. */
  keyEncryptionKey?: KeyObject;
  /** More of the API's environment variables. */
  environment?: Record<string, string>;
  signal: AbortSignal;
}): Promise<ApiForTests> {
  const { folder, signal } = options;
  await mkdir(join(folder, 'keys'), { recursive: true, mode: 0o700 });
  const file = async (name: string, content: string) => {
    await writeFile(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const port = await freePort();
  const adminKey = makeApiKey();
  const privateKey =
    options.keyEncryptionKey ?? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const publicKey = createPublicKey(privateKey);
  const environment = {
    EBB_LISTEN: `127.0.0.1:${port}`,
    EBB_PUBLIC_URL: `http://127.0.0.1:${port}`,
    EBB_DATABASE_URL: options.databaseUrl,
    EBB_REDIS_URL: options.redisUrl,
    EBB_KEYS_DIR: join(folder, 'keys'),
    EBB_KEY_ENCRYPTION_KEY_FILE: await file('kek.json', JSON.stringify(publicKey.export({ format: 'jwk' }))),
    EBB_FIRST_ADMIN_KEY_FILE: await file('admin.key', adminKey),
    EBB_FIRST_RUNNER_KEY_FILE: await file('runner.key', makeApiKey()),
    EBB_LOCAL_SOURCE_DIR: join(folder, 'source'),
    ...options.environment,
  };
  const start = async () =>
    await startEbbProcess<ApiReady>({
      ...{ command: 'api', environment, signal },
      logFile: join(folder, 'api.log'),
    });
  let api: EbbProcess<ApiReady> = await start();
  const { url } = api.ready;
  return {
    url,
    pid: () => api.pid,
    repositories: join(folder, 'source', 'repositories'),
    adminKey,
    client: createClient({ endpoint: url, apiKey: adminKey }),
    async killAndRestart(meanwhile) {
      process.kill(api.pid, 'SIGKILL');
      await api.gone;
      await meanwhile?.();
      api = await start();
    },
    async startAgain() {
      api = await start();
    },
    gone: () => api.gone,
    stop: () => api.stop(),
  };
}
