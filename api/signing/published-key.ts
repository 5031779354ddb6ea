import { createHash, type JsonWebKey } from 'node:crypto';

/**
 * The public half of an Ed25519 key (RFC 8037) as Ebb publishes it. `iat` and `exp` are the seconds in which it was in use,
 * as OpenID Federation has them for historical keys; without `iat` since before that was noted, without `exp` still.
 */
export interface PublishedKey {
  kty: 'OKP';
  crv: 'Ed25519';
  x: string;
  kid: string;
  alg: 'EdDSA';
  use: 'sig';
  /** What it signs: no key signs both. */
  ebb_use: 'receipt' | 'token';
  iat?: number;
  exp?: number;
}

/** What is published of a key; everything private is left out. Throws when it is no Ed25519 key. Pure. */
export function publish(key: JsonWebKey, ebb_use: PublishedKey['ebb_use']): PublishedKey {
  const { kty, crv, x } = key;
  if (kty !== 'OKP' || crv !== 'Ed25519' || !x) throw new Error('This is no Ed25519 key.');
  return {
    ...{ kty, crv, x, kid: thumbprint(x), alg: 'EdDSA', use: 'sig', ebb_use },
    ...(typeof key.iat === 'number' ? { iat: key.iat } : {}),
    ...(typeof key.exp === 'number' ? { exp: key.exp } : {}),
  };
}

/** RFC 7638, with the members that RFC 8037 names for OKP keys. */
function thumbprint(x: string): string {
  return createHash('sha256')
    .update(JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x }))
    .digest('base64url');
}
