import type { JsonWebKey } from 'node:crypto';
import { type CryptoKey, compactDecrypt, importJWK } from 'jose';
import { asJwk } from './key-encryption-key.ts';
import { OpenedSecret } from './opened-secret.ts';

/** What cannot be opened: sealed for another project or purpose, damaged, or its key is gone. */
export class CustodyError extends Error {
  override name = 'CustodyError';
  readonly code = 'cannot_open';
}

/** Opens what is sealed to one project. */
export interface ProjectVault {
  /** The plaintext; the caller wipes it. Throws CustodyError unless it was sealed for just this purpose. */
  open(sealed: string, purpose: 'deploy-key' | `secret:${string}`): Promise<OpenedSecret>;
}

/** Unwraps a project's private key with the key-encryption key. Throws CustodyError. */
export async function openVault(options: {
  keyEncryptionKey: JsonWebKey;
  wrappedPrivateKey: string;
  projectId: string;
}): Promise<ProjectVault> {
  const { projectId } = options;
  const unwrapping = await importPrivate(options.keyEncryptionKey);
  const opened = await decrypt(options.wrappedPrivateKey, unwrapping, projectId, 'project-key');
  try {
    const key = await opened.use((bytes) => importPrivate(JSON.parse(bytes.toString('utf8'))));
    return { open: (sealed, purpose) => decrypt(sealed, key, projectId, purpose) };
  } finally {
    opened.wipe();
  }
}

async function importPrivate(jwk: JsonWebKey): Promise<CryptoKey> {
  return (await importJWK(asJwk(jwk), 'ECDH-ES+A256KW')) as CryptoKey;
}

async function decrypt(
  sealed: string,
  key: CryptoKey,
  projectId: string,
  purpose: string,
): Promise<OpenedSecret> {
  const opened = await compactDecrypt(sealed, key, {
    keyManagementAlgorithms: ['ECDH-ES+A256KW'],
    contentEncryptionAlgorithms: ['A256GCM'],
  }).catch(() => {
    throw new CustodyError(
      `What was sealed for ${purpose} of ${projectId} cannot be opened with this runner's key.`,
    );
  });
  // The header is authenticated with the ciphertext, so a value cannot be moved to another project or purpose.
  const { kid, purpose: sealedFor } = opened.protectedHeader;
  if (kid !== projectId || sealedFor !== purpose) {
    opened.plaintext.fill(0);
    throw new CustodyError(
      `A value sealed for another project or purpose was given as ${purpose} of ${projectId}.`,
    );
  }
  return new OpenedSecret(opened.plaintext);
}
