import { createHash, randomBytes } from 'node:crypto';
import type { Selectable } from 'kysely';
import type { Scope } from '../../contract/token.ts';
import { type Database, json } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import type { Schema } from '../db/schema.ts';

export type ApiKeyRow = Selectable<Schema['api_key']>;

/** How an API key looks. */
export const apiKeyPattern = '^ebb_[A-Za-z0-9_-]{43}$';
const form = new RegExp(apiKeyPattern);

export interface NewApiKey {
  teamId: string;
  name: string;
  scopes: Scope[];
  now: Date;
}

/** An API key of 256 random bits that nobody knows yet. */
export function makeApiKey(): string {
  return `ebb_${randomBytes(32).toString('base64url')}`;
}

/** Registers an API key, a new one when none is given. It is shown once; only its hash is kept. */
export async function createApiKey(
  database: Database,
  key: NewApiKey & { secret?: string | undefined },
): Promise<string> {
  const secret = key.secret ?? makeApiKey();
  await registerApiKey(database, key, hash(secret));
  return secret;
}

/** Registers one that was made elsewhere and is known here by its SHA-256 alone. */
export async function registerApiKey(database: Database, key: NewApiKey, secretHash: Buffer): Promise<void> {
  await database
    .insertInto('api_key')
    .values({
      id: newId('key'),
      team_id: key.teamId,
      name: key.name,
      secret_hash: secretHash,
      scopes: json(key.scopes),
      created_at: key.now,
      revoked_at: null,
    })
    .execute();
}

/** The live API key with this secret, if there is one. */
export async function findApiKey(database: Database, secret: string): Promise<ApiKeyRow | undefined> {
  if (!form.test(secret)) return undefined;
  return await database
    .selectFrom('api_key')
    .selectAll()
    .where('secret_hash', '=', hash(secret))
    .where('revoked_at', 'is', null)
    .where(({ or, eb }) => or([eb('ends_at', 'is', null), eb('ends_at', '>', new Date())]))
    .executeTakeFirst();
}

/** Keys that are not revoked, oldest first. */
export async function listApiKeys(database: Database) {
  return await database
    .selectFrom('api_key')
    .innerJoin('team', 'team.id', 'api_key.team_id')
    .select(['api_key.id', 'api_key.name', 'api_key.scopes', 'api_key.created_at', 'team.name as team'])
    .where('api_key.revoked_at', 'is', null)
    .orderBy('api_key.id')
    .execute();
}

/** Ends a key and, since each request looks it up, every token made with it. False when there is no such live key. */
export async function revokeApiKey(database: Database, id: string, now: Date): Promise<boolean> {
  const { numUpdatedRows } = await database
    .updateTable('api_key')
    .set({ revoked_at: now })
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

function hash(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
