import { createHash, type JsonWebKey } from 'node:crypto';

/** Names an EC key, public or private, by its public half: SHA-256 in base64url (RFC 7638). */
export function thumbprint({ crv, kty, x, y }: JsonWebKey): string {
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
}
