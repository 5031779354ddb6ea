import type { KeyObject } from 'node:crypto';
import { errors, jwtVerify } from 'jose';
import Value from 'typebox/value';
import { longestToken } from '../../contract/token.ts';
import { longestLifetimeSeconds } from '../auth/token-life.ts';
import { TokenClaims } from './token-claims.ts';

const algorithm = 'EdDSA';
const type = 'at+jwt';
const clockToleranceSeconds = 60;

/**
 * The whole header of Ebb's tokens. Byte for byte it names the key; with anything else in it, or in another order, a token
 * is none of Ebb's: no other algorithm, no key or address of one, nothing twice.
 */
export const headerOf = (kid: string) => ({ alg: algorithm, typ: type, kid });

/**
 * The claims of a token that was signed with this key and is good now; else undefined. It takes one spelling of a token
 * alone, so that nobody makes a second one of it.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8725
 */
export async function verifyToken(
  token: string,
  key: KeyObject,
  { issuer, audience, now }: { issuer: string; audience: string; now: Date },
): Promise<TokenClaims | undefined> {
  const [, payload = '', signature = '', ...more] = token.split('.');
  if (token.length > longestToken || more.length > 0 || ![payload, signature].every(isCanonical))
    return undefined;
  try {
    const verified = await jwtVerify(token, key, {
      ...{ algorithms: [algorithm], typ: type, issuer, audience, currentDate: now },
    });
    const claims: unknown = verified.payload;
    const text = Buffer.from(payload, 'base64url').toString();
    // A member that stands there twice is read differently by different readers.
    if (!Value.Check(TokenClaims, claims) || JSON.stringify(JSON.parse(text)) !== text) return undefined;
    return isOfItsTime(claims, now) ? claims : undefined;
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}

/** Whether a token with these claims is good at this moment: not over, not of the future, and not for too long. */
export function isOfItsTime({ iat, exp }: TokenClaims, now: Date): boolean {
  const seconds = now.getTime() / 1000;
  return exp > seconds && iat <= seconds + clockToleranceSeconds && exp - iat <= longestLifetimeSeconds;
}

function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part;
}
