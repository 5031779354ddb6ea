import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../queue/free-port.ts';
import { connectRedis } from '../queue/redis-connection.ts';

/** A real Redis with an append-only file, that a test may kill and start again at the same address. */
export interface KillableRedis {
  url: string;
  port: number;
  /** Kills it without warning, and starts it again, after `meanwhile`; with `forgets` it has lost all that it knew. */
  killAndRestart(forgets: boolean, meanwhile: () => Promise<unknown>): Promise<void>;
  close(): Promise<void>;
}

export async function startKillableRedis(): Promise<KillableRedis> {
  const root = await mkdtemp(join(tmpdir(), 'ebb-redis-'));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const start = async () => {
    const settings = [
      '--port',
      port,
      '--bind',
      '127.0.0.1',
      '--dir',
      root,
      '--save',
      '',
      '--appendonly',
      'yes',
    ];
    const child = spawn('redis-server', settings.map(String), { stdio: 'ignore' });
    const gone = new Promise((resolve) => child.once('close', resolve));
    await answers(url);
    return { child, gone };
  };
  let running = await start();
  const end = async () => {
    running.child.kill('SIGKILL');
    await running.gone;
  };
  return {
    url,
    port,
    async killAndRestart(forgets, meanwhile) {
      await end();
      await meanwhile();
      if (forgets) await rm(join(root, 'appendonlydir'), { recursive: true, force: true });
      running = await start();
    },
    async close() {
      await end();
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function answers(url: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      (await connectRedis({ url })).disconnect();
      return;
    } catch (error) {
      if (tries === 200) throw error;
      await sleep(50);
    }
  }
}
