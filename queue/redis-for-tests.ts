import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './free-port.ts';

export interface ConfiguredRedis {
  port: number;
  url: string;
  /** As a machine that loses power does it. */
  kill(): Promise<void>;
  /** On the same port, with what is on its disk. */
  restart(): Promise<void>;
  /** Both, with `meanwhile` in between; with `forgets` it has lost all that it knew. */
  killAndRestart(forgets: boolean, meanwhile: () => Promise<unknown>): Promise<void>;
  close(): Promise<void>;
}

/** A real Redis on loopback with settings of the test's own, such as `--cluster-enabled yes`; it writes to the disk as Ebb's does. */
export async function startConfiguredRedis(...settings: string[]): Promise<ConfiguredRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-redis-'));
  const port = await freePort();
  const durable = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''];
  const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
  let server: ChildProcess | undefined;
  const restart = async () => {
    const child = spawn('redis-server', [...place, ...durable, ...settings], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    server = child;
    for await (const line of createInterface({ input: child.stdout }))
      if (line.includes('Ready to accept')) break;
    child.stdout.resume();
  };
  const kill = async () => {
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const gone = once(server, 'exit');
    server.kill('SIGKILL');
    await gone;
  };
  await restart();
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    kill,
    restart,
    async killAndRestart(forgets, meanwhile) {
      await kill();
      await meanwhile();
      if (forgets) await rm(join(folder, 'appendonlydir'), { recursive: true, force: true });
      await restart();
    },
    async close() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
