import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const tmpfsMagic = 0x01021994;

/** A folder whose files never touch a disk: /dev/shm where it is a tmpfs, else the one given. */
async function memoryFolder(otherwise: string): Promise<string> {
  const shared = await statfs('/dev/shm').catch(() => undefined);
  return shared?.type === tmpfsMagic ? '/dev/shm' : otherwise;
}

/** Where a runner keeps its running VMs when nothing else is said: in memory, a folder a user. */
export async function defaultRuntimeDir(): Promise<string> {
  return join(await memoryFolder(tmpdir()), `ebb-runner-${process.getuid?.() ?? 'user'}`);
}
