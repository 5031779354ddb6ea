import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '../write-whole.ts';

/** One creation, from before it is asked for. */
export interface NotedCreation {
  /** For its `Idempotency-Key`. */
  idempotencyKey: string;
  /** Whether an earlier run asked for the same and Terraform's state was never seen to have it. */
  isRepeated: boolean;
  /** It was made; the note stays until `recorded`. */
  made(id: string): Promise<void>;
  /** It was refused, so that there is nothing to find again. */
  refused(): Promise<void>;
}

/**
 * What was created and may be in no state, because Terraform or the provider was killed: asked for again by the same
 * configuration it is answered as the first time, and so neither refused nor made twice.
 */
export interface CreationNotes {
  begin(what: string): Promise<NotedCreation>;
  /** Terraform's state has it, or it is gone: another creation of the same is one of its own. */
  recorded(id: string): Promise<void>;
}

interface Note {
  key: string;
  id?: string;
}

const forgottenAfterMs = 7 * 24 * 3_600_000;

/**
 * Keeps notes in a folder of Terraform's data directory, a file each. A folder that cannot be written to does without.
 *
 * @param folder made when it is needed
 * @param scope what else a creation depends on, such as the endpoint and the workspace
 */
export function createCreationNotes(folder: string, scope: string): CreationNotes {
  const fileOf = (what: string) =>
    join(folder, createHash('sha256').update(`${scope}\n${what}`).digest('hex').slice(0, 40));
  let loaded: Promise<Map<string, string>> | undefined;
  const files = () => (loaded ??= load(folder));

  return {
    async begin(what) {
      const file = fileOf(what);
      const earlier = await read(file);
      const note: Note = earlier ?? { key: randomUUID() };
      if (!earlier) await write(file, note);
      return {
        idempotencyKey: note.key,
        isRepeated: earlier !== undefined,
        async made(id) {
          await write(file, { ...note, id });
          (await files()).set(id, file);
        },
        refused: () => forget(file),
      };
    },
    async recorded(id) {
      const known = await files();
      const file = known.get(id);
      if (file === undefined) return;
      known.delete(id);
      await forget(file);
    },
  };
}

/** Files by the id of what was made; those that are a week old are removed. */
async function load(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of await readdir(folder).catch(() => [])) {
    const file = join(folder, name);
    const { mtimeMs = 0 } = (await stat(file).catch(() => undefined)) ?? {};
    if (Date.now() - mtimeMs > forgottenAfterMs) await forget(file);
    const note = await read(file);
    if (note?.id !== undefined) found.set(note.id, file);
  }
  return found;
}

async function read(file: string): Promise<Note | undefined> {
  try {
    const note = JSON.parse(await readFile(file, 'utf8'));
    return typeof note?.key === 'string' ? note : undefined;
  } catch {
    return undefined;
  }
}

/** Without a note it is as with any other provider: what got lost is imported. */
async function write(file: string, note: Note): Promise<void> {
  await writeWhole(file, JSON.stringify(note)).catch(() => undefined);
}

async function forget(file: string): Promise<void> {
  await rm(file, { force: true }).catch(() => undefined);
}
