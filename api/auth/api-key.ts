import { randomBytes } from 'node:crypto';
import type { Selectable } from 'kysely';
import type { Scope } from '../../contract/token.ts';
import { type AuditContext, recordAudit } from '../audit/record-audit.ts';
import { type Database, json } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import type { ApiKeyKind, Schema } from '../db/schema.ts';
import { transact } from '../db/transact.ts';
import { endInvitationsBy } from '../teams/invitation-store.ts';
import { hashSecret } from './hash-secret.ts';

export type ApiKeyRow = Selectable<Schema['api_key']>;

/** How an API key looks. */
export const apiKeyPattern = '^ebb_[A-Za-z0-9_-]{43}$';
const form = new RegExp(apiKeyPattern);

export interface NewApiKey {
  teamId: string;
  name: string;
  scopes: Scope[];
  now: Date;
  kind?: ApiKeyKind;
  /** Of one that was promised; a new one when absent. */
  id?: string | undefined;
  projectId?: string | undefined;
  endsAt?: Date | undefined;
  createdBy?: string;
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
  await insertApiKey(database, key, hashSecret(secret));
  return secret;
}

/**
 * Registers an API key, which is known here by its SHA-256 alone, and records who did it. In a transaction that comes
 * last, because it locks the team's audit chain. Gives the key's id.
 */
export async function registerApiKey(
  context: AuditContext,
  { key, secretHash, actor }: { key: NewApiKey; secretHash: Buffer; actor: string },
): Promise<string> {
  const { teamId, name, scopes, projectId, endsAt } = key;
  const limits = {
    ...(projectId !== undefined && { project: projectId }),
    ...(endsAt !== undefined && { expires_at: endsAt.toISOString() }),
  };
  const register = async (inside: AuditContext) => {
    const subject = await insertApiKey(inside.database, { ...key, createdBy: actor }, secretHash);
    const detail = { name, scopes, ...limits };
    await recordAudit(inside, { teamId, action: 'api_key.created', actor, subject, detail });
    return subject;
  };
  return await (context.database.isTransaction ? register(context) : transact(context, register));
}

/** Gives the key's id. `secretHash` is the SHA-256 of what its holder shows. */
export async function insertApiKey(database: Database, key: NewApiKey, secretHash: Buffer): Promise<string> {
  const id = key.id ?? newId(key.kind === 'member' ? 'mem' : 'key');
  await database
    .insertInto('api_key')
    .values({
      id,
      team_id: key.teamId,
      name: key.name,
      secret_hash: secretHash,
      scopes: json(key.scopes),
      created_at: key.now,
      revoked_at: null,
      kind: key.kind ?? 'key',
      project_id: key.projectId ?? null,
      ends_at: key.endsAt ?? null,
      created_by: key.createdBy ?? null,
    })
    .execute();
  return id;
}

/** The API key with this secret, if there is one; it may be revoked. */
export async function findApiKey(database: Database, secret: string): Promise<ApiKeyRow | undefined> {
  if (!form.test(secret)) return undefined;
  return await database
    .selectFrom('api_key')
    .selectAll()
    .where('secret_hash', '=', hashSecret(secret))
    .executeTakeFirst();
}

/** Keys that are not revoked, oldest first. */
export async function listApiKeys(database: Database) {
  return await database
    .selectFrom('api_key')
    .innerJoin('team', 'team.id', 'api_key.team_id')
    .select(['api_key.id', 'api_key.name', 'api_key.scopes', 'api_key.created_at', 'team.name as team'])
    .where('api_key.kind', '=', 'key')
    .where('api_key.revoked_at', 'is', null)
    .orderBy('api_key.id')
    .execute();
}

/** Ends a key and, since each request looks it up, every token made with it. False when there is no such live key. */
export async function revokeApiKey(context: AuditContext, id: string, actor: string): Promise<boolean> {
  return await transact(context, async (inside) => {
    const revoked = await inside.database
      .updateTable('api_key')
      .set({ revoked_at: inside.now() })
      .where('id', '=', id)
      // Memberships and workload identities end with what they are the keys of.
      .where('kind', '=', 'key')
      .where('revoked_at', 'is', null)
      .returning(['team_id', 'name'])
      .executeTakeFirst();
    if (!revoked) return false;
    await endInvitationsBy(inside.database, id, inside.now());
    const { team_id: teamId, name } = revoked;
    await recordAudit(inside, { teamId, action: 'api_key.revoked', actor, subject: id, detail: { name } });
    return true;
  });
}
