import type { JsonWebKey } from 'node:crypto';
import { CompactEncrypt, importJWK, type JWK } from 'jose';
import { thumbprint } from './thumbprint.ts';

/** What a sealed value is for; it opens for nothing else. */
export type Purpose = 'project-key' | 'deploy-key' | 'vm-handle' | `secret:${string}`;

/**
 * Seals bytes to a public key (EC P-256): a compact JWE (RFC 7516). Its protected header names project and purpose, and
 * in `key` the thumbprint of the key that opens it.
 */
export async function seal(
  plaintext: Uint8Array,
  to: { publicKey: JsonWebKey; projectId: string; purpose: Purpose },
): Promise<string> {
  const header = { kid: to.projectId, purpose: to.purpose, key: thumbprint(to.publicKey) };
  return await new CompactEncrypt(plaintext)
    .setProtectedHeader({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM', ...header })
    .encrypt(await importJWK(to.publicKey as JWK, 'ECDH-ES+A256KW'));
}
