import type { JsonWebKey } from 'node:crypto';
import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { exportJWK, generateKeyPair, type JWK } from 'jose';

/** The key that wraps every project's private key. Only runners hold the private half. */
export interface KeyEncryptionKey {
  publicKey: JsonWebKey;
  privateKey: JsonWebKey;
}

/**
 * Reads the key-encryption key (EC P-256 JWK) from a file of mode 0600, and makes it when there is none.
 * The public half is written beside it as `<path>.pub`, for the API.
 */
export async function loadOrCreateKeyEncryptionKey(path: string): Promise<KeyEncryptionKey> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const key = (await read(path)) ?? (await create(path));
  const { d: _, ...publicKey } = key;
  await writeFile(`${path}.pub`, `${JSON.stringify(publicKey)}\n`);
  return { privateKey: key, publicKey };
}

async function read(path: string): Promise<JsonWebKey | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const key = parseKeyEncryptionKey(text);
  if (!key) {
    throw new Error(`${path} holds no private EC P-256 JWK. Restore the key-encryption key from its backup.`);
  }
  await chmod(path, 0o600);
  return key;
}

/** The key in a text; undefined when it holds no private EC P-256 JWK. */
export function parseKeyEncryptionKey(text: string): JsonWebKey | undefined {
  try {
    const key = JSON.parse(text) as JsonWebKey;
    return key.kty === 'EC' && key.crv === 'P-256' && key.d ? key : undefined;
  } catch {
    // The parser's own message would show a part of the key.
    return undefined;
  }
}

/** Of two processes that start at once only one makes the key: `link` fails when the file is there. */
async function create(path: string): Promise<JsonWebKey> {
  const pair = await generateKeyPair('ECDH-ES+A256KW', { crv: 'P-256', extractable: true });
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, JSON.stringify(await exportJWK(pair.privateKey)), { mode: 0o600 });
  try {
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  const key = await read(path);
  if (!key) throw new Error(`${path} could not be made.`);
  return key;
}

/** The same key as jose takes it. */
export function asJwk(key: JsonWebKey): JWK {
  return key as JWK;
}
