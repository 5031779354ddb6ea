import { createPrivateKey, generateKeyPairSync, type JsonWebKey, randomBytes } from 'node:crypto';
import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The secrets of an API process. Every process of one installation has the same. */
export interface ApiKeys {
  tokenKey: JsonWebKey;
  receiptKey: JsonWebKey;
  /** 32 bytes from which the secrets of hooks are derived. */
  hookMasterKey: Buffer;
}

/**
 * Reads the API's keys from files of mode 0600 in a folder, and makes those that are not there. Throws when a file holds
 * no key, and says nothing of what it holds.
 */
export async function loadOrCreateApiKeys(folder: string): Promise<ApiKeys> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const ed25519 = () => JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }));
  const masterKey = () => randomBytes(32).toString('base64');
  return {
    tokenKey: await readKey(join(folder, 'token-key.json'), ed25519, toEd25519),
    receiptKey: await readKey(join(folder, 'receipt-key.json'), ed25519, toEd25519),
    hookMasterKey: await readKey(join(folder, 'hook-master-key'), masterKey, toMasterKey),
  };
}

async function readKey<T>(
  path: string,
  make: () => string,
  parse: (text: string) => T | undefined,
): Promise<T> {
  const key = parse(await readOrCreate(path, make));
  if (key === undefined) {
    throw new Error(
      `${path} holds no key that can be used. Restore it from a backup, or remove it to have a new one made.`,
    );
  }
  return key;
}

function toEd25519(text: string): JsonWebKey | undefined {
  try {
    const jwk = JSON.parse(text) as JsonWebKey;
    return createPrivateKey({ key: jwk, format: 'jwk' }).asymmetricKeyType === 'ed25519' ? jwk : undefined;
  } catch {
    // The parser's own message would show a part of the key.
    return undefined;
  }
}

function toMasterKey(text: string): Buffer | undefined {
  const key = Buffer.from(text, 'base64');
  return key.length === 32 ? key : undefined;
}

/** Of two processes that start at once only one makes the file: `link` fails when it is there. */
async function readOrCreate(path: string, make: () => string): Promise<string> {
  const found = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  if (found !== undefined) {
    await chmod(path, 0o600);
    return found;
  }
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, make(), { mode: 0o600 });
  try {
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  return await readFile(path, 'utf8');
}
