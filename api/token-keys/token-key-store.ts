import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { type Selectable, sql } from 'kysely';
import { openBytes, sealBytes } from '../custody/aes-gcm.ts';
import type { Custody } from '../custody/custody.ts';
import type { Database } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';
import { publish } from '../signing/published-key.ts';

export type TokenKeyRow = Selectable<Schema['token_key']>;

/** Derives what seals the private half of a token key. */
export type TokenKeySealing = Custody['tokenKeySealing'];

// Any number that nobody else locks; two processes must not give a key two successors.
const lockNumber = 3_202_613;

/** Until the transaction ends nobody else changes the keys. */
export async function lockTokenKeys(transaction: Database): Promise<void> {
  await sql`select pg_advisory_xact_lock(${sql.lit(lockNumber)})`.execute(transaction);
}

/** All keys that tokens may be signed with, in the order in which they sign. */
export async function listTokenKeys(database: Database): Promise<TokenKeyRow[]> {
  return await database.selectFrom('token_key').selectAll().orderBy('signs_from').orderBy('kid').execute();
}

/** Adds a key that signs from `signsFrom` on; a new one when no private JWK is given. Gives its `kid`. */
export async function insertTokenKey(
  transaction: Database,
  sealing: TokenKeySealing,
  { now, signsFrom, jwk = newKey() }: { now: Date; signsFrom: Date; jwk?: JsonWebKey },
): Promise<string> {
  const { kid, x } = publish(jwk, 'token');
  const row = { kid, x, published_at: now, signs_from: signsFrom, signs_until: null };
  const sealed_private_key = sealPrivateHalf(sealing, kid, String(jwk.d));
  await transaction
    .insertInto('token_key')
    .values({ ...row, sealed_private_key })
    .execute();
  return kid;
}

function newKey(): JsonWebKey {
  return generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
}

const contextOf = (kid: string) => `ebb token key ${kid}`;

function sealPrivateHalf(sealing: TokenKeySealing, kid: string, d: string): Buffer {
  const key = sealing(kid);
  const seed = Buffer.from(d, 'base64url');
  try {
    return sealBytes(key, seed, contextOf(kid));
  } finally {
    key.fill(0);
    seed.fill(0);
  }
}

/** The private JWK. Throws when it was sealed under another master key, or is not kept any more. */
export function openPrivateHalf(
  sealing: TokenKeySealing,
  { kid, x, sealed_private_key }: TokenKeyRow,
): JsonWebKey {
  const key = sealing(kid);
  try {
    const seed = openBytes(key, sealed_private_key ?? Buffer.alloc(0), contextOf(kid));
    const d = seed.toString('base64url');
    seed.fill(0);
    return { kty: 'OKP', crv: 'Ed25519', x, d };
  } catch {
    throw new Error(
      `The key ${kid} that signs tokens cannot be opened: it was sealed under another master key than that of EBB_KEYS_DIR or EBB_HOOK_MASTER_KEY. Give the API the master key of before, or have \`ebb token-key replace\` make a new key; tokens of before end then.`,
    );
  } finally {
    key.fill(0);
  }
}
