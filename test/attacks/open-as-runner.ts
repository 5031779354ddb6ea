import { createPrivateKey, type KeyObject } from 'node:crypto';
import { compactDecrypt } from 'jose';
import { parseWrappedKey } from '../../contract/custody/key-wrapper.ts';

/** Opens what lies in the database with the runner's key: for the bytes that must be nowhere else. */
export async function openAsRunner(keyEncryptionKey: KeyObject, wrappedPrivateKey: string) {
  const { payload } = parseWrappedKey(wrappedPrivateKey);
  const wrapped = Buffer.from((await compactDecrypt(payload, keyEncryptionKey)).plaintext);
  const projectKey = createPrivateKey({ key: wrapped, format: 'der', type: 'pkcs8' });
  return {
    /** The 32 bytes of the project's private key. */
    scalar: Buffer.from(projectKey.export({ format: 'jwk' }).d ?? '', 'base64url'),
    open: async (sealed: string) => Buffer.from((await compactDecrypt(sealed, projectKey)).plaintext),
  };
}
