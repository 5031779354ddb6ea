import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const tmpfsMagic = 0x01021994;

/** Whether files of a folder never touch a disk. One that is not there yet will be where its parent is. */
export async function isInMemory(folder: string): Promise<boolean> {
  const path = resolve(folder);
  const found = await statfs(path).catch(() => undefined);
  if (!found && path !== dirname(path)) return await isInMemory(dirname(path));
  return found?.type === tmpfsMagic;
}

/** A folder whose files never touch a disk: /dev/shm where it is a tmpfs, else the one given. */
async function memoryFolder(otherwise: string): Promise<string> {
  return (await isInMemory('/dev/shm')) ? '/dev/shm' : otherwise;
}

/** Where a runner keeps its running VMs when nothing else is said: in memory, a folder a user. */
export async function defaultRuntimeDir(): Promise<string> {
  return join(await memoryFolder(tmpdir()), `ebb-runner-${process.getuid?.() ?? 'user'}`);
}
