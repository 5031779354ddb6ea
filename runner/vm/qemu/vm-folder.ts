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
  /** Whether another runner may take the VM over. */
  shared?: boolean;
}

// Its owner is written right after a folder is made; one that has none by then never gets one.
const ownerlessMs = 60_000;
// A VM ends itself 60 s after its runner's last sign of life; half a minute more is for the shutdown.
const sharedMs = 90_000;

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
  await putOwner(folder, owner);
}

async function putOwner(folder: string, owner: Owner): Promise<void> {
  const written = join(folder, `owner.${process.pid}.tmp`);
  await writeFile(written, JSON.stringify(owner), { mode: 0o600 });
  await rename(written, join(folder, 'owner.json'));
}

/** From now on a later runner may take the VM over. Throws when this process does not own it. */
export async function shareVmFolder(folder: string): Promise<void> {
  const owner = await readOwner(folder);
  if (!owner || !(await isOwn(owner))) throw new Error(`This runner does not own the VM in ${folder}.`);
  await putOwner(folder, { ...owner, shared: true });
}

/** Makes this process the owner of a shared VM, and gives its processes; undefined when it is not there any more. */
export async function adoptVmFolder(
  folder: string,
): Promise<{ qemu: ProcessIdentity; tpm?: ProcessIdentity } | undefined> {
  const owner = await readOwner(folder);
  const runner = await processIdentity(process.pid);
  if (!owner?.shared || !owner.qemu || !runner || !(await isAlive(owner.qemu))) return undefined;
  await putOwner(folder, { ...owner, runner });
  return { qemu: owner.qemu, ...(owner.tpm && { tpm: owner.tpm }) };
}

/** Removes a VM's folder unless another runner owns it by now. */
export async function dropVmFolder(folder: string): Promise<void> {
  if (await ownsVmFolder(folder)) await rm(folder, { recursive: true, force: true });
}

/** False when another runner has taken the VM over. */
export async function ownsVmFolder(folder: string): Promise<boolean> {
  const owner = await readOwner(folder);
  return !owner || (await isOwn(owner));
}

async function isOwn({ runner }: Owner): Promise<boolean> {
  return runner.pid === process.pid && (await isAlive(runner));
}

/**
 * Makes the reaper of the VMs below `runtimeDir`: each call ends those whose runner is dead, removes their folders, and
 * gives their ids. One that was shared it leaves for as long as another runner may take it over, by the monotonic clock:
 * as long as it lives, and no longer than it ends itself.
 */
export function createFolderReaper(
  runtimeDir: string,
  monotonicMs: () => number = () => performance.now(),
): () => Promise<string[]> {
  const orphanedSince = new Map<string, number>();
  const mayBeTakenOver = async (id: string, { shared, qemu }: Owner) => {
    if (!shared || !qemu || !(await isAlive(qemu))) return false;
    const since = orphanedSince.get(id) ?? monotonicMs();
    orphanedSince.set(id, since);
    return monotonicMs() - since < sharedMs;
  };
  return async () => {
    const reaped: string[] = [];
    for (const id of await readdir(runtimeDir).catch(() => [])) {
      const folder = join(runtimeDir, id);
      const owner = await readOwner(folder);
      if (owner ? await isAlive(owner.runner) : !(await isOlderThan(folder, ownerlessMs)))
        orphanedSince.delete(id);
      else if (!owner || !(await mayBeTakenOver(id, owner))) {
        if (owner?.qemu) await endProcess(owner.qemu);
        if (owner?.tpm) await endProcess(owner.tpm);
        await rm(folder, { recursive: true, force: true });
        orphanedSince.delete(id);
        reaped.push(id);
      }
    }
    return reaped;
  };
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
