import { hash, type KeyObject } from 'node:crypto';
import type { TokenClaims } from './token-claims.ts';
import { isOfItsTime, verifyToken } from './verify-token.ts';

const mostKept = 10_000;

/**
 * Verifies tokens, each once: clients send the same one for minutes, and a signature takes longer than the rest of a
 * request. Kept are hashes, never tokens; what is kept counts with the key that verified it alone, and in its time. Who is
 * behind a token is not known here, and is looked up with each request.
 */
export function createVerifier(expected: { issuer: string; audience: string }): typeof verify {
  const good = new Map<string, { key: KeyObject; claims: TokenClaims }>();
  return verify;

  async function verify(token: string, key: KeyObject, now: Date): Promise<TokenClaims | undefined> {
    const digest = hash('sha256', token);
    const known = good.get(digest);
    if (known?.key === key && isOfItsTime(known.claims, now)) return known.claims;
    good.delete(digest);
    const claims = await verifyToken(token, key, { ...expected, now });
    if (!claims) return undefined;
    if (good.size >= mostKept) good.delete(good.keys().next().value ?? '');
    good.set(digest, { key, claims: Object.freeze(claims) });
    return claims;
  }
}
