import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { type QemuMachine, qemuArguments } from './arguments.ts';

export type QemuProcess = ChildProcessByStdio<null, Readable, Readable>;

/** Starts QEMU with nothing in its environment, and without core dumps, which would put guest memory on a disk. */
export async function spawnQemu(machine: QemuMachine): Promise<QemuProcess> {
  const qemu = spawn(
    '/bin/sh',
    ['-c', 'ulimit -c 0; exec qemu-system-x86_64 "$@"', 'sh', ...qemuArguments(machine)],
    // In a group of its own, so that Ctrl-C at a terminal does not end VMs under a runner that is draining.
    { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: '/usr/local/bin:/usr/bin:/bin' }, detached: true },
  );
  await once(qemu, 'spawn');
  return qemu;
}
