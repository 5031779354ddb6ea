import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Stream, Writable } from 'node:stream';
import { type QemuMachine, qemuArguments } from './arguments.ts';

export type QemuProcess = ChildProcessByStdio<Writable, Readable, Readable>;

// Waits for a line, so that the process is on record before it is a VM; when the runner dies first, it just ends.
// No core dumps: they would put guest memory on a disk.
const script = 'read -r go || exit 1; ulimit -c 0; exec qemu-system-x86_64 "$@" < /dev/null';

/**
 * Starts QEMU with nothing in its environment. `beforeStart` is told the process's number while nothing runs in it yet;
 * when it fails, QEMU never starts. `descriptors` are its third and following.
 */
export async function spawnQemu(
  machine: QemuMachine,
  beforeStart: (pid: number) => Promise<void> = async () => {},
  descriptors: ('pipe' | Stream | number)[] = [],
): Promise<QemuProcess> {
  const qemu = spawn(
    '/bin/sh',
    ['-c', script, 'sh', ...qemuArguments(machine)],
    // In a group of its own, so that Ctrl-C at a terminal does not end VMs under a runner that is draining.
    {
      stdio: ['pipe', 'pipe', 'pipe', ...descriptors],
      env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
      detached: true,
    },
  ) as QemuProcess;
  await once(qemu, 'spawn');
  // A process that is gone tells it by its exit.
  qemu.stdin.on('error', () => {});
  try {
    await beforeStart(qemu.pid as number);
  } catch (error) {
    qemu.kill('SIGKILL');
    throw error;
  }
  qemu.stdin.end('go\n');
  return qemu;
}

/** Lets the process go on without this one, as it would when this one died: what it prints goes nowhere. */
export function releaseQemu(qemu: QemuProcess): void {
  qemu.unref();
  qemu.stdout.destroy();
  qemu.stderr.destroy();
}
