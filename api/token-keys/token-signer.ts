import { createPublicKey, type KeyObject, randomUUID } from 'node:crypto';
import { importJWK, SignJWT } from 'jose';
import { longestLifetimeSeconds } from '../auth/token-life.ts';
import type { Database } from '../db/database.ts';
import { shareReads } from '../share-reads.ts';
import { type PublishedKey, publish } from '../signing/published-key.ts';
import { keyAtWork } from './key-at-work.ts';
import type { GivenClaims, TokenClaims } from './token-claims.ts';
import { listTokenKeys, openPrivateHalf, type TokenKeyRow, type TokenKeySealing } from './token-key-store.ts';
import { createVerifier } from './verified-tokens.ts';
import { headerOf } from './verify-token.ts';

/** Signs and verifies access tokens (RFC 7519, EdDSA), with the keys that all processes of the API share. */
export interface TokenSigner {
  /** Rejects when the database is away. `expiresInSeconds` is a day at most. */
  sign(claims: GivenClaims, expiresInSeconds: number): Promise<string>;
  /** The claims of a good token; undefined for whatever else. Rejects when the database is away. */
  verify(token: string): Promise<TokenClaims | undefined>;
  /** Public halves of every key that a token may be signed with, now or soon. */
  published(): Promise<PublishedKey[]>;
}

// So long a process may not know that keys were dropped.
const readAgainMs = 1_000;
const audience = 'ebb';

interface KeyRing {
  rows: TokenKeyRow[];
  /** By the header that its tokens have. */
  verifying: Map<string, KeyObject>;
  readAt: number;
}

/**
 * Reads the keys from the database again when what it knows is a second old, or when a token names another. Not for use
 * within a transaction.
 *
 * @param options.issuer the API's public address
 */
export function createTokenSigner(options: {
  database: Database;
  sealing: TokenKeySealing;
  issuer: string;
  now: () => Date;
}): TokenSigner {
  const { database, sealing, issuer, now } = options;
  const { current, readAgain } = createReading(database);
  const verify = createVerifier({ issuer, audience });
  const opened = new Map<string, Awaited<ReturnType<typeof importJWK>>>();

  const open = async (row: TokenKeyRow) => {
    const found = opened.get(row.kid);
    if (found) return found;
    const key = await importJWK(openPrivateHalf(sealing, row), 'EdDSA');
    opened.clear();
    opened.set(row.kid, key);
    return key;
  };

  return {
    async sign(claims, expiresInSeconds) {
      if (expiresInSeconds > longestLifetimeSeconds)
        throw new Error('A token must not outlive the key that it is verified with.');
      const row = keyAtWork((await current()).rows, now());
      if (!row) throw new Error('There is no key to sign tokens with.');
      const seconds = Math.floor(now().getTime() / 1000);
      return await new SignJWT(claims)
        .setProtectedHeader(headerOf(row.kid))
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt(seconds)
        .setJti(claims.jti ?? randomUUID())
        .setExpirationTime(seconds + expiresInSeconds)
        .sign(await open(row));
    },
    async verify(token) {
      const header = token.split('.', 1)[0] ?? '';
      const key = (await current()).verifying.get(header) ?? (await readAgain()).verifying.get(header);
      return key && (await verify(token, key, now()));
    },
    async published() {
      return (await current()).rows.map(publicHalf);
    },
  };
}

function createReading(database: Database) {
  let ring: KeyRing | undefined;
  const read = async (): Promise<KeyRing> => {
    // Of a clock that nobody sets.
    const readAt = performance.now();
    const rows = await listTokenKeys(database);
    const known = ring?.verifying;
    const verifying = new Map(
      rows.map((row) => {
        const header = Buffer.from(JSON.stringify(headerOf(row.kid))).toString('base64url');
        const key = known?.get(header) ?? createPublicKey({ key: { ...publicHalf(row) }, format: 'jwk' });
        return [header, key];
      }),
    );
    ring = { rows, verifying, readAt };
    return ring;
  };
  // One reading at a time, so that strangers cannot have the database asked many times at once.
  const share = shareReads(read, () => 'keys');
  const readAgain = () => share(database, undefined);
  const current = async () =>
    ring && performance.now() - ring.readAt < readAgainMs ? ring : await readAgain();
  return { current, readAgain };
}

function publicHalf({ x }: TokenKeyRow): PublishedKey {
  return publish({ kty: 'OKP', crv: 'Ed25519', x }, 'token');
}
