import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { isAlive, type ProcessIdentity, processIdentity } from '../process-identity.ts';

/** Whose VM it is: kept while it runs, so that a later runner ends the VMs of a dead one. */
interface Owner {
  runner: ProcessIdentity;
  qemu?: ProcessIdentity;
}

/** Makes a VM's folder and says that this process owns it. */
export async function createVmFolder(runtimeDir: string, id: string): Promise<string> {
  const folder = join(runtimeDir, id);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeOwner(folder, undefined);
  return folder;
}

/** Remembers which process the VM is. */
export async function writeOwner(folder: string, qemuPid: number | undefined): Promise<void> {
  const runner = await processIdentity(process.pid);
  const qemu = qemuPid === undefined ? undefined : await processIdentity(qemuPid);
  if (!runner) throw new Error('This process cannot be found in /proc.');
  const owner: Owner = { runner, ...(qemu ? { qemu } : {}) };
  await writeFile(join(folder, 'owner.tmp'), JSON.stringify(owner), { mode: 0o600 });
  await rename(join(folder, 'owner.tmp'), join(folder, 'owner.json'));
}

/** Puts the identity before the image, in one file on a tmpfs: QEMU takes one initrd. */
export async function writeInitrd(folder: string, identity: Buffer, imagePath: string): Promise<string> {
  const path = join(folder, 'initrd');
  await writeFile(path, identity, { mode: 0o600 });
  await pipeline(
    createReadStream(imagePath, { highWaterMark: 4 * 1024 * 1024 }),
    createWriteStream(path, { flags: 'a', highWaterMark: 4 * 1024 * 1024 }),
  );
  return path;
}

/** Ends the VMs below `runtimeDir` whose runner is dead, removes their folders, and gives their ids. */
export async function reapFolders(runtimeDir: string): Promise<string[]> {
  const reaped: string[] = [];
  for (const id of await readdir(runtimeDir).catch(() => [])) {
    const folder = join(runtimeDir, id);
    const owner = await readFile(join(folder, 'owner.json'), 'utf8')
      .then((text) => JSON.parse(text) as Owner)
      .catch(() => undefined);
    if (!owner || (await isAlive(owner.runner))) continue;
    if (owner.qemu && (await isAlive(owner.qemu))) process.kill(owner.qemu.pid, 'SIGKILL');
    await rm(folder, { recursive: true, force: true });
    reaped.push(id);
  }
  return reaped;
}
