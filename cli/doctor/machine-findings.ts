import { readFile } from 'node:fs/promises';
import { swapsIn } from '../../runner/vm/qemu/observe-process.ts';
import { limitCoreDumps } from '../no-core-dumps.ts';
import type { Finding } from './finding.ts';

/** What is looked at of the machine; a test may have another one. */
export interface Machine {
  /** Content of /proc/swaps. */
  readSwaps(): Promise<string>;
  /** Throws when it cannot be done. */
  forbidCoreDumps(): Promise<void>;
  /** Content of /proc/self/limits. */
  readLimits(): Promise<string>;
  userId: number | undefined;
}

export const thisMachine: Machine = {
  readSwaps: () => readFile('/proc/swaps', 'utf8'),
  forbidCoreDumps: limitCoreDumps,
  readLimits: () => readFile('/proc/self/limits', 'utf8'),
  userId: process.getuid?.(),
};

/** Ways of memory to a disk, and too many rights. */
export async function machineFindings(machine: Machine): Promise<Finding[]> {
  return [
    ...(await swapFindings(machine)),
    ...(await coreDumpFindings(machine)),
    ...(machine.userId === 0 ? [asRoot] : []),
  ];
}

/** Devices and files that the machine swaps to; none where the system does not say. */
export async function swapsOf(machine: Machine): Promise<string[]> {
  const text = await machine.readSwaps().catch(() => '');
  return swapsIn(text);
}

async function swapFindings(machine: Machine): Promise<Finding[]> {
  const swaps = await swapsOf(machine);
  if (swaps.length === 0) return [];
  return [
    {
      ...{ code: 'machine_swaps', severity: 'medium' },
      what: `This machine swaps to ${swaps.join(', ')}.`,
      why: 'Opened keys and secrets in memory can reach a disk and stay there.',
      fix: 'swapoff --all, and take swap out of /etc/fstab.',
    },
  ];
}

/** Does what API and runner do at their start; where it works they leave no dump. */
async function coreDumpFindings(machine: Machine): Promise<Finding[]> {
  const forbidden = await machine.forbidCoreDumps().then(
    () => true,
    () => false,
  );
  const limits = await machine.readLimits().catch(() => '');
  // No program of the process could get more than a hard limit of nothing.
  if (forbidden || /^Max core file size +0 +0 /m.test(limits)) return [];
  return [
    {
      ...{ code: 'core_dumps_on', severity: 'medium' },
      what: 'Core dumps cannot be forbidden: there is no prlimit on the PATH, and the limit is not 0.',
      why: 'A crash writes all memory, opened keys and secrets included, to a disk.',
      fix: 'Install util-linux, or start API and runner under "ulimit -c 0" (systemd: LimitCORE=0).',
    },
  ];
}

const asRoot: Finding = {
  ...{ code: 'runs_as_root', severity: 'medium' },
  what: 'This runs as root; API and runner do too if the same user starts them.',
  why: 'Who gets into the process has the whole machine.',
  fix: 'Start them as a user of their own; a runner with QEMU needs the group kvm.',
};
