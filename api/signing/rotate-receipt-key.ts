import type { JsonWebKey } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { toEd25519, toPublicKeys } from './api-keys.ts';
import { loadOrCreateApiKeyTexts, newEd25519, readIfThere, receiptKeyFiles } from './key-files.ts';
import { publish } from './published-key.ts';

// Processes that were not restarted yet go on signing with the key that was retired.
const overlapSeconds = 3600;

/**
 * One of the two steps of a new receipt key in a folder, so that no process ever signs with a key that another does not
 * publish. `prepared`: the next key is made; processes that start now publish it. `rotated`: it is the key, and the
 * public half of the one before is kept for ever; its period ends an hour later. May be killed at any line and called
 * again.
 */
export async function rotateReceiptKey(folder: string, now: Date): Promise<'prepared' | 'rotated'> {
  const files = receiptKeyFiles(folder);
  const current = JSON.parse((await loadOrCreateApiKeyTexts(folder)).receiptKey) as JsonWebKey;
  const next = await readIfThere(files.next, toEd25519);
  if (!next) {
    await replace(files.next, newEd25519());
    return 'prepared';
  }
  const seconds = Math.floor(now.getTime() / 1000);
  const { kid } = publish(current, 'receipt');
  if (publish(next, 'receipt').kid !== kid) {
    const retired = (await readIfThere(files.retired, toPublicKeys)) ?? [];
    const last = { ...publish(current, 'receipt'), exp: seconds + overlapSeconds };
    const keys = [...retired.filter((key) => key.kid !== kid), last];
    await replace(files.retired, JSON.stringify({ keys }));
    await replace(files.current, JSON.stringify({ ...next, iat: seconds }));
  }
  await rm(files.next);
  return 'rotated';
}

/** Whoever reads the file sees what it was or what it is, nothing in between. */
async function replace(path: string, text: string): Promise<void> {
  await rm(`${path}.new`, { force: true });
  await writeFile(`${path}.new`, `${text}\n`, { mode: 0o600, flag: 'wx', flush: true });
  await rename(`${path}.new`, path);
}
