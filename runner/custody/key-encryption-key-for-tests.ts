import { generateKeyPairSync } from 'node:crypto';
import type { KeyEncryptionKey } from './key-encryption-key.ts';

/** A key-encryption key that is in no file. */
export function makeKeyEncryptionKeyForTests(): KeyEncryptionKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { publicKey: publicKey.export({ format: 'jwk' }), privateKey: privateKey.export({ format: 'jwk' }) };
}
