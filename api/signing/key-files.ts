import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readOrCreateSecretFile } from '../../contract/secret-file.ts';
import { type ApiKeys, type ApiKeyTexts, parseApiKeys, toEd25519, toMasterKey } from './api-keys.ts';

/**
 * Reads the API's keys from files of mode 0600 in a folder, and makes those that are not there. Throws when a file holds
 * no key, and says nothing of what it holds.
 */
export async function loadOrCreateApiKeys(folder: string): Promise<ApiKeys> {
  const texts = await loadOrCreateApiKeyTexts(folder);
  return parseApiKeys(texts);
}

/** The same keys as the text that is in the files, which the variables EBB_TOKEN_KEY and its siblings take as it is. */
export async function loadOrCreateApiKeyTexts(folder: string): Promise<ApiKeyTexts> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const ed25519 = () => JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }));
  const masterKey = () => randomBytes(32).toString('base64');
  return {
    tokenKey: await readKey(join(folder, 'token-key.json'), ed25519, toEd25519),
    receiptKey: await readKey(join(folder, 'receipt-key.json'), ed25519, toEd25519),
    hookMasterKey: await readKey(join(folder, 'hook-master-key'), masterKey, toMasterKey),
  };
}

async function readKey(path: string, make: () => string, parse: (text: string) => unknown): Promise<string> {
  const text = (await readOrCreateSecretFile(path, make)).trim();
  if (parse(text) === undefined) {
    throw new Error(
      `${path} holds no key that can be used. Restore it from a backup, or remove it to have a new one made.`,
    );
  }
  return text;
}
