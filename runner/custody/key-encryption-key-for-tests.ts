import { generateKeyPairSync } from 'node:crypto';
import { createFileKey, type KeyPair } from './key-file.ts';
import { createKeyring } from './keyring.ts';

/** A key-encryption key that is in no file: its halves, and a keyring that holds it alone. */
export function makeKeyEncryptionKeyForTests() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pair: KeyPair = {
    publicKey: publicKey.export({ format: 'jwk' }),
    privateKey: privateKey.export({ format: 'jwk' }),
  };
  const key = createFileKey(pair.privateKey);
  return { ...pair, key, keyring: createKeyring(key) };
}
