import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { CustodyError } from '../../contract/custody/custody-error.ts';
import { type Purpose, seal } from '../../contract/custody/seal.ts';
import { thumbprint } from '../../contract/custody/thumbprint.ts';
import type { Keyring } from './keyring.ts';
import { openSealed } from './open-sealed.ts';
import type { OpenedSecret } from './opened-secret.ts';

export { CustodyError };

/** Opens what is sealed to one project. */
export interface ProjectVault {
  /** The plaintext; the caller wipes it. Throws CustodyError unless it was sealed for just this purpose. */
  open(sealed: string, purpose: Exclude<Purpose, 'project-key'>): Promise<OpenedSecret>;
  /** Seals bytes so that runners that are given the project's key can open them, and the API cannot. */
  seal(plaintext: Uint8Array, purpose: 'vm-handle'): Promise<string>;
}

/** Unwraps a project's private key, which lives on as a key that cannot be exported. Throws CustodyError. */
export async function openVault(options: {
  keyring: Keyring;
  wrappedPrivateKey: string;
  projectId: string;
  signal?: AbortSignal;
}): Promise<ProjectVault> {
  const { keyring, wrappedPrivateKey, projectId, signal } = options;
  const opened = await keyring.unwrap(wrappedPrivateKey, projectId, signal);
  try {
    const privateKey = opened.use((bytes) => importPrivateKey(bytes, projectId));
    const publicKey = createPublicKey(privateKey).export({ format: 'jwk' });
    const name = thumbprint(publicKey);
    const key = privateKey.toCryptoKey({ name: 'ECDH', namedCurve: 'P-256' }, false, ['deriveBits']);
    return {
      open: (sealed, purpose) => openSealed(sealed, { key, thumbprint: name, projectId, purpose }),
      seal: (plaintext, purpose) => seal(plaintext, { publicKey, projectId, purpose }),
    };
  } finally {
    opened.wipe();
  }
}

/** PKCS #8 (RFC 5958), of which no part becomes a string; keys of before were JWKs. */
function importPrivateKey(bytes: Buffer, projectId: string): KeyObject {
  try {
    const key =
      bytes[0] === 0x7b
        ? createPrivateKey({ key: JSON.parse(bytes.toString()), format: 'jwk' })
        : createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8' });
    if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  } catch {
    // Said below; the parser's own message could show a part of it.
  }
  throw new CustodyError(
    'damaged',
    `What was unwrapped for ${projectId} is no private key of the curve P-256.`,
  );
}
