import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readOrCreateSecretFile } from '../../contract/secret-file.ts';
import {
  type ApiKeys,
  type ApiKeyTexts,
  parseApiKeys,
  toEd25519,
  toMasterKey,
  toPublicKeys,
} from './api-keys.ts';
import { type PublishedKey, publish } from './published-key.ts';

/** The files of a folder of keys that have to do with receipts; see rotate-receipt-key.ts. */
export const receiptKeyFiles = (folder: string) => ({
  current: join(folder, 'receipt-key.json'),
  next: join(folder, 'next-receipt-key.json'),
  retired: join(folder, 'retired-receipt-keys.json'),
});

/**
 * Reads the API's keys from files of mode 0600 in a folder, and makes those that are not there. Throws when a file holds
 * no key, and says nothing of what it holds.
 */
export async function loadOrCreateApiKeys(folder: string): Promise<ApiKeys> {
  const texts = await loadOrCreateApiKeyTexts(folder);
  return parseApiKeys(texts);
}

/** The same keys as text, which the variables EBB_TOKEN_KEY and its siblings take as it is. */
export async function loadOrCreateApiKeyTexts(folder: string): Promise<ApiKeyTexts> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const masterKey = () => randomBytes(32).toString('base64');
  const { current } = receiptKeyFiles(folder);
  const receiptKey = await readKey(current, newReceiptKey, toEd25519);
  const others = await otherReceiptKeys(folder, receiptKey);
  return {
    tokenKey: await readKey(join(folder, 'token-key.json'), newEd25519, toEd25519),
    receiptKey,
    otherReceiptKeys: others.length === 0 ? '' : JSON.stringify({ keys: others }),
    hookMasterKey: await readKey(join(folder, 'hook-master-key'), masterKey, toMasterKey),
  };
}

export function newEd25519(): string {
  return JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }));
}

/** A receipt key says since when it is in use. */
function newReceiptKey(): string {
  return JSON.stringify({ ...JSON.parse(newEd25519()), iat: Math.floor(Date.now() / 1000) });
}

/** Retired keys and the next one. A rotation that was interrupted may have retired the current one already. */
async function otherReceiptKeys(folder: string, current: string): Promise<PublishedKey[]> {
  const { next, retired } = receiptKeyFiles(folder);
  const nextKey = await readIfThere(next, toEd25519);
  const others = [
    ...((await readIfThere(retired, toPublicKeys)) ?? []),
    ...(nextKey ? [publish(nextKey, 'receipt')] : []),
  ];
  const { kid } = publish(JSON.parse(current), 'receipt');
  return others.filter((key) => key.kid !== kid);
}

/** Undefined when there is no such file. Throws when it holds something else. */
export async function readIfThere<T>(
  path: string,
  parse: (text: string) => T | undefined,
): Promise<T | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return text === undefined ? undefined : parsed(path, text.trim(), parse);
}

async function readKey(path: string, make: () => string, parse: (text: string) => unknown): Promise<string> {
  const text = (await readOrCreateSecretFile(path, make)).trim();
  parsed(path, text, parse);
  return text;
}

function parsed<T>(path: string, text: string, parse: (text: string) => T | undefined): T {
  const value = parse(text);
  if (value !== undefined) return value;
  throw new Error(
    `${path} holds no key that can be used. Restore it from a backup, or remove it to have a new one made.`,
  );
}
