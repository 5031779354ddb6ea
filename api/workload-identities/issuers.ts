import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';
import { causeCode, TooLargeError } from '../source-hosts/rest/bounded-body.ts';
import { AddressNotAllowedError } from '../source-hosts/rest/guarded-fetch.ts';
import { boundedFetch } from './bounded-fetch.ts';

const timeoutMs = 5_000;
const keptMs = 10 * 60_000;
const maxIssuers = 1_000;
// A token with a key that nobody knows makes Ebb ask for keys anew, at most this often.
const cooldownMs = 5_000;
// An issuer that fails is asked again after this time, however many tokens of it are shown meanwhile.
const failedMs = 5_000;

/** What an issuer says of itself cannot be used; the message is for who shows its token. */
export class IssuerError extends Error {
  override name = 'IssuerError';
}

/** Finds the keys of an issuer. Rejects with an IssuerError. */
export type FindIssuerKeys = (issuer: string) => Promise<JWTVerifyGetKey>;

interface Known {
  keys: Promise<JWTVerifyGetKey>;
  until: number;
}

/**
 * Keys of issuers, by OpenID Connect Discovery, remembered for ten minutes. A key that is new to us is asked for at once.
 *
 * @see https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
 */
export function createIssuers(fetch: typeof globalThis.fetch): FindIssuerKeys {
  const known = new Map<string, Known>();
  const bounded = boundedFetch(fetch, timeoutMs);
  return async (issuer) => {
    const now = performance.now();
    const found = known.get(issuer);
    if (found && found.until > now) return await found.keys;
    const keys = discover(issuer, bounded);
    if (known.size >= maxIssuers) known.delete(known.keys().next().value ?? '');
    known.set(issuer, { keys, until: now + keptMs });
    keys.catch(() => {
      if (known.get(issuer)?.keys === keys) known.set(issuer, { keys, until: performance.now() + failedMs });
    });
    return await keys;
  };
}

async function discover(issuer: string, fetch: typeof globalThis.fetch): Promise<JWTVerifyGetKey> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const answer = await fetch(url, { headers: { accept: 'application/json' } }).catch((error: Error) => {
    throw new IssuerError(`The issuer cannot be asked at ${url}: ${reasonOf(error)}.`);
  });
  const said: unknown = answer.ok ? await answer.json().catch(() => undefined) : undefined;
  const { issuer: name, jwks_uri: address } = (said ?? {}) as { issuer?: unknown; jwks_uri?: unknown };
  if (name !== issuer)
    throw new IssuerError(`${url} answered ${answer.status} and does not say that it is ${issuer}.`);
  const keys = typeof address === 'string' && URL.canParse(address) ? new URL(address) : undefined;
  if (keys?.protocol !== 'https:' && keys?.origin !== new URL(issuer).origin)
    throw new IssuerError(`${url} names no place for its keys (jwks_uri) that is reached by https.`);
  return pausedByFailure(
    createRemoteJWKSet(keys, {
      ...{ timeoutDuration: timeoutMs, cacheMaxAge: keptMs, cooldownDuration: cooldownMs },
      [customFetch]: fetch,
    }),
  );
}

/** After a failure it says the same for a while, without asking. That there is no such key is none. */
function pausedByFailure(find: JWTVerifyGetKey): JWTVerifyGetKey {
  let failed: { error: unknown; until: number } | undefined;
  return async (...token) => {
    if (failed && failed.until > performance.now()) throw failed.error;
    try {
      return await find(...token);
    } catch (error) {
      const isOfToken =
        error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys;
      if (!isOfToken) failed = { error, until: performance.now() + failedMs };
      throw error;
    }
  };
}

/** Such as `ECONNREFUSED`, without the address: a stranger would learn what listens in the operator's network. */
function reasonOf(error: Error): string {
  if (error instanceof TooLargeError) return error.message;
  if (error.cause instanceof AddressNotAllowedError) return error.cause.message;
  return causeCode(error) ?? error.name;
}
