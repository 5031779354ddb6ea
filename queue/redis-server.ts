import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endProcess, processIdentity } from '../contract/process-identity.ts';
import { freePort } from './free-port.ts';
import { connectRedis } from './redis-connection.ts';

export interface RedisServer {
  url: string;
  pid: number;
  /** Ends the server and resolves when its process is gone. */
  close(): Promise<void>;
}

/**
 * Starts `redis-server` as a child on loopback, with a password of its own: the embedded default.
 * Its append-only file lies in `folder`; one that a killed process left running there is ended first. The configuration goes in over stdin, so the password is in no argv and no file.
 */
export async function startRedisServer(options: {
  folder: string;
  appendOnly?: boolean;
}): Promise<RedisServer> {
  await endLeftOver(options.folder);
  const password = randomBytes(24).toString('base64url');
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const server = await launch(configuration({ ...options, port, password }));
    const url = `redis://:${password}@127.0.0.1:${port}`;
    if (await answers(url, server.child)) {
      await writeFile(ownerFile(options.folder), JSON.stringify(await processIdentity(server.pid)));
      return { url, pid: server.pid, close: server.close };
    }
    await server.close();
    if (attempt === 3) throw new Error(`redis-server did not start: ${server.output().trim()}`);
  }
}

function ownerFile(folder: string): string {
  return join(folder, 'server.json');
}

/** Two servers on one append-only file would destroy it. */
async function endLeftOver(folder: string): Promise<void> {
  const text = await readFile(ownerFile(folder), 'utf8').catch(() => '');
  if (text !== '') await endProcess(JSON.parse(text));
}

function configuration(o: { folder: string; appendOnly?: boolean; port: number; password: string }): string {
  return [
    `port ${o.port}`,
    'bind 127.0.0.1',
    `requirepass ${o.password}`,
    `dir "${o.folder}"`,
    'save ""',
    `appendonly ${o.appendOnly === false ? 'no' : 'yes'}`,
    'appendfsync everysec',
    'maxmemory-policy noeviction',
    '',
  ].join('\n');
}

async function launch(config: string) {
  const child = spawn('redis-server', ['-'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH },
  });
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4_000);
    });
  }
  await Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => Promise.reject(error))]);
  child.stdin.on('error', () => {});
  child.stdin.end(config);
  return {
    child,
    pid: child.pid ?? 0,
    output: () => output,
    async close() {
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await gone;
      clearTimeout(force);
    },
  };
}

async function answers(url: string, child: { exitCode: number | null }): Promise<boolean> {
  for (let tries = 0; tries < 200 && child.exitCode === null; tries++) {
    try {
      (await connectRedis({ url })).disconnect();
      return true;
    } catch {
      await delay(50);
    }
  }
  return false;
}
