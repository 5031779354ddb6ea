import { randomUUID } from 'node:crypto';
import { link, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
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
 * Makes this process the only one that works in a folder, by a file `FOLDER.lock.N` beside it. The lock of a process that
 * died counts for nothing. Gives the release; throws FolderInUseError.
 *
 * The file with the highest N is the lock. Who finds its owner dead makes N + 1, which only one can, and nobody ever
 * removes a file that could be the lock of a living process: so of many that come at once a single one gets it.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = await realpath(folder);
  const draft = `${path}.draft-${randomUUID()}`;
  await writeFile(draft, JSON.stringify(await processIdentity(process.pid)), { mode: 0o600 });
  try {
    for (;;) {
      const [highest = 0] = await generations(path);
      const owner = await readOwner(fileOf(path, highest));
      if (owner && (await isAlive(owner))) throw new FolderInUseError(folder, owner.pid);
      const own = highest + 1;
      if (!(await linked(draft, fileOf(path, own)))) continue;
      // A slow one may have made a number that was used and removed before; then there is a higher one.
      const [now, ...older] = await generations(path);
      if (now === own) {
        await Promise.all(older.map((generation) => rm(fileOf(path, generation), { force: true })));
        return () => rm(fileOf(path, own), { force: true });
      }
      await rm(fileOf(path, own), { force: true });
    }
  } finally {
    await rm(draft, { force: true });
  }
}

function fileOf(path: string, generation: number): string {
  return `${path}.lock.${generation}`;
}

/** The numbers that there are, highest first. */
async function generations(path: string): Promise<number[]> {
  const begin = `${basename(path)}.lock.`;
  const names = await readdir(dirname(path));
  const numbers = names
    .filter((name) => name.startsWith(begin))
    .map((name) => Number(name.slice(begin.length)));
  return numbers.filter(Number.isInteger).sort((a, b) => b - a);
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

async function readOwner(path: string): Promise<ProcessIdentity | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text === '' ? undefined : (JSON.parse(text) as ProcessIdentity);
}
