import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

// A killed process may be busy giving its memory back.
const endMs = 10_000;

/** Tells a process from a later one that was given the same number. */
export interface ProcessIdentity {
  pid: number;
  /** Start time in clock ticks since boot, and the boot it belongs to; empty where there is no /proc. */
  startedAt: string;
}

/** Undefined when there is no such process (any more), or when it is a zombie. */
export async function processIdentity(pid: number): Promise<ProcessIdentity | undefined> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => undefined);
  if (boot === undefined) return exists(pid) ? { pid, startedAt: '' } : undefined;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The second field is a name in parentheses that may hold anything; the state is the third, the start the 22nd.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields === undefined || fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return { pid, startedAt: `${boot.trim()} ${fields[19]}` };
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const now = await processIdentity(identity.pid);
  return now !== undefined && now.startedAt === identity.startedAt;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Kills the process if it is still the same one, and waits until it is gone. Does nothing where that cannot be told. */
export async function endProcess(identity: ProcessIdentity): Promise<void> {
  if (identity.startedAt === '' || !(await isAlive(identity))) return;
  process.kill(identity.pid, 'SIGKILL');
  const deadline = performance.now() + endMs;
  while (await isAlive(identity)) {
    if (performance.now() > deadline)
      throw new Error(`Process ${identity.pid} does not end although it was killed.`);
    await delay(10);
  }
}
