import { lstat, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  endProcess,
  isAlive,
  type ProcessIdentity,
  processIdentity,
} from '../../../contract/process-identity.ts';

/** Whose VM it is: kept while it runs, so that a later runner ends the VMs of a dead one. */
interface Owner {
  runner: ProcessIdentity;
  qemu?: ProcessIdentity;
  /** The VM's TPM, where it has one. */
  tpm?: ProcessIdentity;
}

// Its owner is written right after a folder is made; one that has none by then never gets one.
const ownerlessMs = 60_000;

/** Makes a VM's folder and says that this process owns it. Throws when another user could reach into it. */
export async function createVmFolder(runtimeDir: string, id: string): Promise<string> {
  await mkdir(runtimeDir, { recursive: true, mode: 0o700 });
  await checkPrivate(runtimeDir);
  const folder = join(runtimeDir, id);
  await mkdir(folder, { mode: 0o700 });
  await writeOwner(folder, {});
  return folder;
}

/** On a tmpfs that everybody may write to, another user may have made the folder first. */
async function checkPrivate(runtimeDir: string): Promise<void> {
  const folder = await lstat(runtimeDir);
  const own = process.getuid === undefined || folder.uid === process.getuid();
  if (folder.isDirectory() && own && (folder.mode & 0o022) === 0) return;
  throw new Error(
    `The folder for running VMs, ${runtimeDir}, must be a folder of the runner's user that no other may write to: remove it or name another.`,
  );
}

/** Remembers which processes the VM is. */
export async function writeOwner(folder: string, pids: { qemu?: number; tpm?: number }): Promise<void> {
  const identify = async (pid?: number) => (pid === undefined ? undefined : await processIdentity(pid));
  const [runner, qemu, tpm] = await Promise.all([process.pid, pids.qemu, pids.tpm].map(identify));
  if (!runner) throw new Error('This process cannot be found in /proc.');
  const owner: Owner = { runner, ...(qemu ? { qemu } : {}), ...(tpm ? { tpm } : {}) };
  await writeFile(join(folder, 'owner.tmp'), JSON.stringify(owner), { mode: 0o600 });
  await rename(join(folder, 'owner.tmp'), join(folder, 'owner.json'));
}

/** Ends the VMs below `runtimeDir` whose runner is dead, removes their folders, and gives their ids. */
export async function reapFolders(runtimeDir: string): Promise<string[]> {
  const reaped: string[] = [];
  for (const id of await readdir(runtimeDir).catch(() => [])) {
    const folder = join(runtimeDir, id);
    const owner = await readOwner(folder);
    if (owner ? await isAlive(owner.runner) : !(await isOlderThan(folder, ownerlessMs))) continue;
    if (owner?.qemu) await endProcess(owner.qemu);
    if (owner?.tpm) await endProcess(owner.tpm);
    await rm(folder, { recursive: true, force: true });
    reaped.push(id);
  }
  return reaped;
}

async function readOwner(folder: string): Promise<Owner | undefined> {
  return await readFile(join(folder, 'owner.json'), 'utf8')
    .then((text) => JSON.parse(text) as Owner)
    .catch(() => undefined);
}

async function isOlderThan(folder: string, milliseconds: number): Promise<boolean> {
  const { mtimeMs } = await stat(folder).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
  return Date.now() - mtimeMs > milliseconds;
}
