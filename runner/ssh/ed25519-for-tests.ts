import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { ed25519Blob } from './public-key-line.ts';

export interface TestKey {
  /** Raw SSH public key blob. */
  blob: Buffer;
  privateKey: KeyObject;
}

/** A fresh ed25519 pair for tests. */
export function makeEd25519(): TestKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { x = '' } = publicKey.export({ format: 'jwk' });
  return { blob: ed25519Blob(Buffer.from(x, 'base64url')), privateKey };
}
