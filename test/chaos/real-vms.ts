import { appendFileSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { startEbbProcess } from '../../cli/dev/child-process.ts';
import { endProcess, isAlive, type ProcessIdentity } from '../../contract/process-identity.ts';
import { buildImage } from '../../runner/image/build-image.ts';
import { base } from '../../runner/image/recipes.ts';
import type { VmsAtRisk } from './cause-chaos.ts';
import type { RunnerProcess } from './runners.ts';
import type { RunnerSetting } from './world.ts';

/** VMs of QEMU, by `ebb runner` as people run it, as the test sees them. */
export interface RealVms extends VmsAtRisk {
  /** How many of a runner wait for builds at most. */
  idleOfRunner: number;
  startRunner(setting: RunnerSetting): Promise<RunnerProcess>;
  /** Where VMs say that they deploy. */
  ledgerPort: number;
  census(): Promise<{ running: string[]; ownerless: string[] }>;
  close(): Promise<void>;
}

const idleOfRunner = 2;

interface Owner {
  runner: ProcessIdentity;
  qemu?: ProcessIdentity;
}

/** @param ledger file that gets a line for each deployment */
export async function startRealVms(folder: string, ledger: string): Promise<RealVms> {
  // Before there is a runner to be killed while it makes one.
  const cacheDir = resolve('.ebb/cache');
  const signal = AbortSignal.timeout(20 * 60_000);
  await buildImage({ recipe: base, cacheDir: join(cacheDir, 'images'), signal });
  const runtimeDir = join(folder, 'vms');
  await mkdir(runtimeDir, { mode: 0o700 });
  const server = createServer((socket) => {
    text(socket).then(
      (line) => appendFileSync(ledger, line),
      () => undefined,
    );
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));

  const owners = async () => {
    const found = await Promise.all(
      (await readdir(runtimeDir)).map(async (id) => {
        const file = await readFile(join(runtimeDir, id, 'owner.json'), 'utf8').catch(() => undefined);
        const owner = file === undefined ? undefined : (JSON.parse(file) as Owner);
        return owner?.qemu && (await isAlive(owner.qemu)) ? [{ id, owner, qemu: owner.qemu }] : [];
      }),
    );
    return found.flat();
  };
  const kill = async (part: number) => {
    const all = await owners();
    const victim = all[Math.floor(part * all.length)];
    if (victim) await endProcess(victim.qemu);
  };
  const signalAll = async (signal: NodeJS.Signals) => {
    for (const { qemu } of await owners()) if (await isAlive(qemu)) process.kill(qemu.pid, signal);
  };
  return {
    idleOfRunner,
    ledgerPort: (server.address() as AddressInfo).port,
    startRunner: ({ environment, logFile }) =>
      startRunner(
        {
          ...environment,
          EBB_POOL_MAX: String(idleOfRunner),
          EBB_CACHE_DIR: cacheDir,
          EBB_RUNTIME_DIR: runtimeDir,
        },
        logFile,
      ),
    /** A connection to a VM is as good as the VM: what breaks here is the VM itself. */
    cut: () => kill(0),
    kill,
    delay: (milliseconds) => signalAll(milliseconds > 0 ? 'SIGSTOP' : 'SIGCONT'),
    async census() {
      const all = await owners();
      const alive = await Promise.all(all.map(({ owner }) => isAlive(owner.runner)));
      return {
        running: all.map(({ id }) => id),
        ownerless: all.filter((_, index) => !alive[index]).map(({ id }) => id),
      };
    },
    close: async () => void server.close(),
  };
}

async function startRunner(environment: Record<string, string>, logFile: string): Promise<RunnerProcess> {
  const signal = AbortSignal.timeout(60_000);
  const { pid, gone, stop } = await startEbbProcess({ command: 'runner', environment, logFile, signal });
  return { pid, gone, stop };
}
