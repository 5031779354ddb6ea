import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, readFileIfThere, writeFileAtomically } from './atomic-file.ts';

const keptFailures = 50;

/** One webhook that is to be posted, in a file of its own until the receiver has taken it. */
export interface Delivery {
  id: string;
  /** The JSON text that is signed and sent. */
  body: string;
  attempts: number;
  /** What came of the last attempt: an HTTP status or an error's code. */
  lastOutcome?: string;
}

/** File names sort in the order of the pushes. */
export function deliveryFileName(generation: number, index: number): string {
  return `${String(generation).padStart(12, '0')}-${String(index).padStart(6, '0')}.json`;
}

export async function writeDelivery(
  folder: string,
  hook: string,
  file: string,
  delivery: Delivery,
): Promise<void> {
  const pending = pendingFolder(folder, hook);
  await mkdir(pending, { recursive: true, mode: 0o700 });
  await writeFileAtomically(join(pending, file), JSON.stringify(delivery));
}

/** The oldest delivery that waits, with the name of its file. */
export async function nextDelivery(
  folder: string,
  hook: string,
): Promise<{ file: string; delivery: Delivery } | undefined> {
  const pending = pendingFolder(folder, hook);
  const [file] = await listFiles(pending);
  const content = file && (await readFileIfThere(join(pending, file)));
  return file && content ? { file, delivery: JSON.parse(content) } : undefined;
}

export async function removeDelivery(folder: string, hook: string, file: string): Promise<void> {
  await rm(join(pendingFolder(folder, hook), file), { force: true });
}

/** Keeps a delivery that was given up, for people to look at; only the newest 50 of a hook are kept. */
export async function moveToFailed(folder: string, hook: string, file: string): Promise<void> {
  const failed = failedFolder(folder, hook);
  await mkdir(failed, { recursive: true, mode: 0o700 });
  await rename(join(pendingFolder(folder, hook), file), join(failed, file));
  const old = (await listFiles(failed)).slice(0, -keptFailures);
  await Promise.all(old.map((name) => rm(join(failed, name), { force: true })));
}

/** Removes everything that was kept for a hook. */
export async function removeDeliveries(folder: string, hook: string): Promise<void> {
  await rm(pendingFolder(folder, hook), { recursive: true, force: true });
  await rm(failedFolder(folder, hook), { recursive: true, force: true });
}

async function listFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function pendingFolder(folder: string, hook: string): string {
  return join(folder, 'ebb', 'deliveries', hook);
}

function failedFolder(folder: string, hook: string): string {
  return join(folder, 'ebb', 'failed', hook);
}
