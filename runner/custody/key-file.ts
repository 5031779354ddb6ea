import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  randomUUID,
} from 'node:crypto';
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createFileKeyWrapper } from '../../contract/custody/key-wrapper.ts';
import { thumbprint } from '../../contract/custody/thumbprint.ts';
import { readOrCreateSecretFile } from '../../contract/secret-file.ts';
import type { KeyEncryptionKey } from './key-encryption-key.ts';
import { openSealed } from './open-sealed.ts';

/** Both halves of a key-encryption key that lies in a file, as JWK. Only runners hold the private one. */
export interface KeyPair {
  publicKey: JsonWebKey;
  privateKey: JsonWebKey;
}

/** Wraps and unwraps with a key from a file, which cannot be taken out of the object again. */
export function createFileKey(privateKey: JsonWebKey): KeyEncryptionKey {
  const { d: _, ...publicKey } = privateKey;
  const wrapper = createFileKeyWrapper(publicKey);
  const key = createPrivateKey({ key: privateKey, format: 'jwk' });
  const opening = key.toCryptoKey({ name: 'ECDH', namedCurve: 'P-256' }, false, ['deriveBits']);
  return {
    ...wrapper,
    unwrap: (payload, projectId) =>
      openSealed(payload, {
        key: opening,
        thumbprint: wrapper.id.slice('file:'.length),
        projectId,
        purpose: 'project-key',
      }),
  };
}

/**
 * Reads the key-encryption key (EC P-256 JWK) from a file of mode 0600, and makes it when there is none.
 * The public half is written beside it as `<path>.pub`, for the API.
 */
export async function loadOrCreateKeyFile(path: string): Promise<KeyPair> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const pair = parseKey(path, await readOrCreateSecretFile(path, makeKey));
  await writeFile(`${path}.pub`, `${JSON.stringify(pair.publicKey)}\n`);
  return pair;
}

/** Reads a key that must be there. */
export async function readKeyFile(path: string): Promise<KeyPair> {
  return parseKey(path, await readFile(path, 'utf8'));
}

/**
 * Makes a new key in the place of the one that is there, which stays beside it under a name of its own; gives the paths
 * of all keys of before that are there. Ended at any line, the same call leaves the current key and all of before.
 */
export async function rotateKeyFile(path: string): Promise<{ older: string[] }> {
  const { publicKey } = await readKeyFile(path);
  await removeDrafts(path);
  const stem = path.replace(/\.json$/, '');
  await link(path, `${stem}-${thumbprint(publicKey).slice(0, 8)}.json`).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    },
  );
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, makeKey(), { mode: 0o600 });
  await rename(draft, path);
  await loadOrCreateKeyFile(path);
  // All, because who was cut off before may not have been told of the one that still wraps.
  return { older: await filesLike(stem, /^-[\w-]{8}\.json$/) };
}

/** Private keys that a call which was cut off left, and that wrapped nothing. */
async function removeDrafts(path: string): Promise<void> {
  for (const draft of await filesLike(path, /^\.[0-9a-f-]{36}$/)) await rm(draft, { force: true });
}

async function filesLike(start: string, rest: RegExp): Promise<string[]> {
  const [folder, begin] = [dirname(start), basename(start)];
  const names = (await readdir(folder)).toSorted();
  return names
    .filter((name) => name.startsWith(begin) && rest.test(name.slice(begin.length)))
    .map((name) => join(folder, name));
}

function makeKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return JSON.stringify(privateKey.export({ format: 'jwk' }));
}

function parseKey(path: string, text: string): KeyPair {
  try {
    const privateKey = JSON.parse(text) as JsonWebKey;
    const key = createPrivateKey({ key: privateKey, format: 'jwk' });
    if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1')
      return { privateKey, publicKey: createPublicKey(key).export({ format: 'jwk' }) };
  } catch {
    // Said below; the parser's own message would show a part of the key.
  }
  throw new Error(`${path} holds no private EC P-256 JWK. Restore the key-encryption key from its backup.`);
}
