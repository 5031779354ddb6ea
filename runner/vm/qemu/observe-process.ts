import { readdir, readFile, readlink } from 'node:fs/promises';
import type { QemuObservation } from '../outside.ts';

/**
 * Looks at the process of a VM in /proc. Throws when it is gone or belongs to another user.
 *
 * @see https://man7.org/linux/man-pages/man5/proc_pid_smaps.5.html
 */
export async function observeProcess(pid: number): Promise<QemuObservation> {
  const read = (name: string) => readFile(`/proc/${pid}/${name}`, 'utf8');
  const link = (name: string) => readlink(`/proc/${pid}/${name}`);
  const [commandLine, mappings, status, limits, swaps] = await Promise.all([
    read('cmdline'),
    read('smaps'),
    read('status'),
    read('limits'),
    readFile('/proc/swaps', 'utf8'),
  ]);
  const core = /^Max core file size +(\S+) +(\S+)/m.exec(limits);
  return {
    kind: 'qemu',
    executable: await link('exe'),
    arguments: commandLine.split('\0').slice(0, -1),
    open_files: await openFiles(pid),
    console: await link('fd/1'),
    ...readMappings(mappings),
    swapped_kib: Number(/^VmSwap:\s+(\d+)/m.exec(status)?.[1] ?? Number.NaN),
    // The hard limit: the process itself could raise the soft one.
    core_limit_bytes: core?.[2] === 'unlimited' ? null : Number(core?.[2]),
    host_swaps: swapsIn(swaps),
  };
}

/** Devices and files that a machine swaps to, from its /proc/swaps. */
export function swapsIn(text: string): string[] {
  const [, ...lines] = text.trim().split('\n');
  return lines.map((line) => line.split(/\s/)[0] ?? '');
}

async function openFiles(pid: number): Promise<string[]> {
  const descriptors = await readdir(`/proc/${pid}/fd`);
  const targets = await Promise.all(
    // One that was closed meanwhile holds nothing open.
    descriptors.map((number) => readlink(`/proc/${pid}/fd/${number}`).catch(() => '')),
  );
  return [...new Set(targets.filter((target) => target.startsWith('/')))].sort();
}

/**
 * Guest memory is the largest private anonymous mapping that is not for code. What is written to a shared mapping of a
 * file reaches the file. Pure.
 */
export function readMappings(smaps: string): Pick<QemuObservation, 'memory' | 'shared_files'> {
  const mappings = smaps.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/).map((block) => {
    const [, permissions = '', , , , path = ''] = block.split('\n', 1)[0]?.split(/\s+/) ?? [];
    const flags = /^VmFlags:(.*)$/m.exec(block)?.[1]?.trim().split(' ') ?? [];
    return { permissions, path, flags, kib: Number(/^Size:\s+(\d+)/m.exec(block)?.[1] ?? 0) };
  });
  const [largest] = mappings
    .filter(({ permissions, path }) => permissions === 'rw-p' && path === '')
    .sort((one, other) => other.kib - one.kib);
  return {
    memory: largest
      ? { kib: largest.kib, dumped: !largest.flags.includes('dd'), merged: largest.flags.includes('mg') }
      : null,
    shared_files: mappings
      .filter(({ permissions, path }) => /^.w.s$/.test(permissions) && path.startsWith('/'))
      .map(({ path }) => path),
  };
}
