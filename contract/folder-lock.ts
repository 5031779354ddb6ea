import { randomUUID } from 'node:crypto';
import { link, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { isAlive, type ProcessIdentity, processIdentity } from './process-identity.ts';

/** Another process works in the folder. */
export class FolderInUseError extends Error {
  override name = 'FolderInUseError';
  readonly code = 'folder_in_use';

  constructor(folder: string, pid: number) {
    super(
      `${folder} is in use by process ${pid}; two at once would destroy what it holds. Stop that process, or use another folder.`,
    );
  }
}

/**
 * Makes this process the only one that works in a folder, by a file `FOLDER.lock` beside it. The lock of a process that
 * died counts for nothing. Gives the release; throws FolderInUseError.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = `${await realpath(folder)}.lock`;
  const draft = `${path}.${randomUUID()}`;
  const own = await processIdentity(process.pid);
  await writeFile(draft, JSON.stringify(own), { mode: 0o600 });
  try {
    while (!(await linked(draft, path))) {
      const owner = await readOwner(path);
      if (owner && (await isAlive(owner))) throw new FolderInUseError(folder, owner.pid);
      await removeDead(path, owner);
    }
  } finally {
    await rm(draft, { force: true });
  }
  return () => rm(path, { force: true });
}

/** `link` makes the file whole or not at all, and never in the place of another. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Of several that find a dead lock one moves it away; who moves a newer one instead puts it back. */
async function removeDead(path: string, dead: ProcessIdentity | undefined): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  const moved = await rename(path, aside).then(
    () => true,
    () => false,
  );
  if (!moved) return;
  const found = await readOwner(aside);
  if (found && JSON.stringify(found) !== JSON.stringify(dead)) await linked(aside, path);
  await rm(aside, { force: true });
}

async function readOwner(path: string): Promise<ProcessIdentity | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text === '' ? undefined : (JSON.parse(text) as ProcessIdentity);
}
