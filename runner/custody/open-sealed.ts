import { type CryptoKey, compactDecrypt, decodeProtectedHeader } from 'jose';
import { CustodyError } from '../../contract/custody/custody-error.ts';
import type { Purpose } from '../../contract/custody/seal.ts';
import { OpenedSecret } from './opened-secret.ts';

export interface Opening {
  /** Private EC P-256 key. */
  key: CryptoKey;
  /** Its thumbprint, which what is sealed to it names. */
  thumbprint: string;
  projectId: string;
  purpose: Purpose;
}

/**
 * Opens a compact JWE that was sealed to this key for this project and purpose; algorithms are decided here, not by the
 * JWE. The caller wipes what it gets. Throws CustodyError with the check that failed.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7516#section-5.2
 */
export async function openSealed(sealed: string, opening: Opening): Promise<OpenedSecret> {
  const { key, projectId, purpose } = opening;
  judgeHeader(readHeader(sealed, opening), opening);
  // The header is authenticated with the ciphertext, so what was judged of it holds once this succeeds.
  const { plaintext } = await compactDecrypt(sealed, key, {
    keyManagementAlgorithms: ['ECDH-ES+A256KW'],
    contentEncryptionAlgorithms: ['A256GCM'],
  }).catch(() => {
    throw new CustodyError(
      'damaged',
      `What was given as ${purpose} of ${projectId} does not open: it was changed, or sealed to another key.`,
    );
  });
  return new OpenedSecret(plaintext);
}

function readHeader(sealed: string, { projectId, purpose }: Opening): Record<string, unknown> {
  try {
    const parts = sealed.split('.');
    if (parts.length === 5 && parts.every((part) => part !== '')) return decodeProtectedHeader(sealed);
  } catch {
    // Said below; the parser's own message would show a part of it.
  }
  throw new CustodyError(
    'damaged',
    `What was given as ${purpose} of ${projectId} is cut off or no envelope.`,
  );
}

function judgeHeader(header: Record<string, unknown>, { thumbprint, projectId, purpose }: Opening): void {
  if (header.kid !== projectId || header.purpose !== purpose) {
    throw new CustodyError(
      'wrong_context',
      `A value sealed for another project or purpose was given as ${purpose} of ${projectId}.`,
    );
  }
  // What was sealed before headers named the key has none.
  if (header.key !== undefined && header.key !== thumbprint) {
    throw new CustodyError(
      'wrong_key',
      `What was given as ${purpose} of ${projectId} is sealed to another key than this one: it was rotated, or never its key.`,
    );
  }
}
