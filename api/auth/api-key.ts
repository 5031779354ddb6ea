import { createHash, randomBytes } from 'node:crypto';
import type { Selectable } from 'kysely';
import type { Scope } from '../../contract/token.ts';
import { type Database, json } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import type { Schema } from '../db/schema.ts';

export type ApiKeyRow = Selectable<Schema['api_key']>;

const form = /^ebb_[A-Za-z0-9_-]{43}$/;

/** Makes an API key of 256 random bits. It is given once; only its hash is kept. */
export async function createApiKey(
  database: Database,
  key: { teamId: string; name: string; scopes: Scope[]; now: Date },
): Promise<string> {
  const secret = `ebb_${randomBytes(32).toString('base64url')}`;
  await database
    .insertInto('api_key')
    .values({
      id: newId('key'),
      team_id: key.teamId,
      name: key.name,
      secret_hash: hash(secret),
      scopes: json(key.scopes),
      created_at: key.now,
      revoked_at: null,
    })
    .execute();
  return secret;
}

/** The live API key with this secret, if there is one. */
export async function findApiKey(database: Database, secret: string): Promise<ApiKeyRow | undefined> {
  if (!form.test(secret)) return undefined;
  return await database
    .selectFrom('api_key')
    .selectAll()
    .where('secret_hash', '=', hash(secret))
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
}

function hash(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
