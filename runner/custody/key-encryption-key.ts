import type { JsonWebKey } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { readOrCreateSecretFile } from '../../contract/secret-file.ts';

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
  const key = parseKeyEncryptionKey(await readOrCreateSecretFile(path, makeKey));
  if (!key) {
    throw new Error(`${path} holds no private EC P-256 JWK. Restore the key-encryption key from its backup.`);
  }
  const { d: _, ...publicKey } = key;
  await writeFile(`${path}.pub`, `${JSON.stringify(publicKey)}\n`);
  return { privateKey: key, publicKey };
}

async function makeKey(): Promise<string> {
  const pair = await generateKeyPair('ECDH-ES+A256KW', { crv: 'P-256', extractable: true });
  return JSON.stringify(await exportJWK(pair.privateKey));
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

/** The same key as jose takes it. */
export function asJwk(key: JsonWebKey): JWK {
  return key as JWK;
}
