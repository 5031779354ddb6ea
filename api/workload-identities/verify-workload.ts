import { errors, type JWTPayload, jwtVerify } from 'jose';
import { OAuthError } from '../auth/oauth-error.ts';
import { claimsMatch } from './claims-match.ts';
import { type FindIssuerKeys, IssuerError } from './issuers.ts';
import type { WorkloadIdentityRow } from './store.ts';

// Signatures by the issuer's private key alone: with HMAC whoever knows the public key could sign.
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'EdDSA',
  'Ed25519',
];
const clockToleranceSeconds = 30;

/**
 * Verifies a token of another issuer and that it is of this workload. Throws an OAuthError that tells what does not fit,
 * without the token.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8725
 */
export async function verifyWorkload(
  findKeys: FindIssuerKeys,
  { issuer, audience, claims, name }: WorkloadIdentityRow,
  token: string,
  now: Date,
): Promise<JWTPayload> {
  const payload = await verify(findKeys, { issuer, audience, token, now });
  if (claimsMatch(payload, claims)) return payload;
  throw refused(`it is not of the workload ${name}: ${Object.keys(claims).join(', ')} must be as declared`);
}

async function verify(
  findKeys: FindIssuerKeys,
  { issuer, audience, token, now }: { issuer: string; audience: string; token: string; now: Date },
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, await findKeys(issuer), {
      ...{ issuer, audience, algorithms, currentDate: now, clockTolerance: clockToleranceSeconds },
      requiredClaims: ['exp', 'iat', 'sub'],
    });
    return payload;
  } catch (error) {
    throw explain(error, issuer, audience);
  }
}

function explain(error: unknown, issuer: string, audience: string): OAuthError {
  if (error instanceof IssuerError) return new OAuthError('invalid_request', error.message);
  if (error instanceof errors.JWTExpired) return refused('it has expired');
  if (error instanceof errors.JWTClaimValidationFailed) {
    const wanted: Record<string, string> = { iss: `must be ${issuer}`, aud: `must hold ${audience}` };
    return refused(`its claim ${error.claim} ${wanted[error.claim] ?? 'is missing or not good now'}`);
  }
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWSSignatureVerificationFailed)
    return refused(`it is not signed by a key of ${issuer}`);
  if (error instanceof errors.JOSEAlgNotAllowed) return refused('its algorithm is not one of a key pair');
  if (error instanceof errors.JOSEError)
    return refused('it is no signed JWT, or its issuer’s keys cannot be read');
  return new OAuthError('invalid_request', `The keys of ${issuer} cannot be fetched. Try again.`);
}

function refused(why: string): OAuthError {
  return new OAuthError('invalid_request', `subject_token is refused: ${why}.`);
}
