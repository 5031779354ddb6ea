import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commit } from '../../api/test-client.ts';
import { createClient } from '../../cli/client.ts';
import { createRepository } from '../../cli/dev/repository.ts';
import { freePort } from '../../queue/free-port.ts';
import { startRedis } from '../../queue/test-redis.ts';
import { startApi } from '../api-for-tests.ts';
import { startPostgres } from '../postgres.ts';
import { watchMemory } from '../watch-memory.ts';

/** The API as a process of its own, on real PostgreSQL and Redis, with a build whose log is worth reading. */
export interface ApiUnderAttack {
  url: string;
  /** Of the team, good for a quarter of an hour. */
  token: string;
  adminKey: string;
  build: string;
  projectId: string;
  /** What the process holds in memory, MB. */
  memory(): number;
  /** What is left on its heap after a collection, MB. */
  heap(): Promise<number>;
  close(): Promise<void>;
}

/** @param logBytes how long the log of the build is, which goes on */
export async function startApiUnderAttack(logBytes: number): Promise<ApiUnderAttack> {
  const root = await mkdtemp(join(tmpdir(), 'ebb-attack-'));
  const closing: (() => Promise<unknown>)[] = [() => rm(root, { recursive: true, force: true })];
  const close = async () => {
    while (closing.length > 0) await closing.pop()?.();
  };
  try {
    const postgres = await startPostgres();
    closing.push(postgres.close);
    const redis = await startRedis();
    closing.push(redis.close);
    const folder = join(root, 'api');
    const parts = { databaseUrl: postgres.url, redisUrl: redis.url };
    const inspected = await freePort();
    const environment = { NODE_OPTIONS: `--inspect=127.0.0.1:${inspected}` };
    const api = await startApi({ folder, ...parts, environment, signal: AbortSignal.timeout(120_000) });
    closing.push(api.stop);
    const watched = await watchMemory(api.pid(), inspected);
    closing.push(async () => watched.close());
    await commit(await createRepository(api.repositories, 'shop'));
    const make = async (path: string, body: object) => (await api.client.post<{ id: string }>(path, body)).id;
    const connection_id = await make('/v1/connections', { name: 'local', kind: 'local' });
    const projectId = await make('/v1/projects', { connection_id, name: 'shop', repository: 'shop' });
    await make('/v1/deploy-keys', { project_id: projectId });
    const build = await make('/v1/builds', { project_id: projectId });
    await writeLog(
      { url: api.url, key: await readFile(join(folder, 'runner.key'), 'utf8'), build },
      logBytes,
    );
    return {
      ...{ url: api.url, adminKey: api.adminKey, token: await api.client.token(), build, projectId, close },
      memory: () => memoryOf(api.pid()),
      heap: async () => (await watched.look()).heap,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** As a runner writes it whose build prints as fast as it can: a MiB at a time. */
async function writeLog(of: { url: string; key: string; build: string }, bytes: number): Promise<void> {
  const path = `/v1/builds/${of.build}`;
  const runner = createClient({ endpoint: of.url, apiKey: of.key });
  const { token } = await runner.post<{ token: string }>(`${path}/claim`, { lease_holder: 'runner-1' });
  const chunk = Buffer.alloc(1024 * 1024, 'a line of a log that somebody may want to read\n');
  for (let offset = 0; offset < bytes; offset += chunk.length) {
    const answer = await fetch(`${of.url}${path}/log?attempt=1&offset=${offset}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
      body: chunk,
    });
    if (!answer.ok) throw new Error(`The log was not taken: ${await answer.text()}`);
  }
}

function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}
