import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { freePort } from '../../queue/free-port.ts';
import type { Finding } from './finding.ts';
import type { Machine } from './machine-findings.ts';

export const codesOf = (findings: readonly Finding[]) => findings.map(({ code }) => code);

/** A machine without swap whose core dumps can be forbidden, for another user than root. */
export const soundMachine: Machine = {
  readSwaps: async () => 'Filename\tType\tSize\tUsed\tPriority\n',
  forbidCoreDumps: async () => {},
  readLimits: async () => '',
  userId: 1000,
};

/** A folder that goes with the test: in memory unless told. */
export async function folderFor(t: TestContext, parent = '/dev/shm'): Promise<string> {
  const folder = await mkdtemp(join(parent, 'ebb-doctor-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes a file whose mode is as told, whatever the umask. */
export async function fileOf(folder: string, name: string, text: string, mode = 0o600): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  await chmod(path, mode);
  return path;
}

/** A real Redis on loopback with these settings; gives its port. */
export async function redisWith(t: TestContext, settings: string[]): Promise<number> {
  const port = await freePort();
  const folder = await folderFor(t);
  const server = spawn('redis-server', ['-'], { cwd: folder, stdio: ['pipe', 'pipe', 'ignore'] });
  const gone = once(server, 'close');
  t.after(async () => {
    server.kill('SIGKILL');
    await gone;
  });
  server.stdin.end([`port ${port}`, 'bind 127.0.0.1', 'save ""', ...settings, ''].join('\n'));
  for await (const line of createInterface({ input: server.stdout }))
    if (line.includes('Ready to accept')) break;
  server.stdout.resume();
  return port;
}
