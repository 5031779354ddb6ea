import type { Selectable } from 'kysely';
import type { Database } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';

export type RevocationRow = Selectable<Schema['revocation']>;

/** Throws when there is none: it is opened first. */
export async function readRevocation(database: Database, id: string): Promise<RevocationRow> {
  return await database.selectFrom('revocation').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}

/** Like {@link readRevocation}, and nobody else changes it until the transaction ends. */
export async function lockRevocation(transaction: Database, id: string): Promise<RevocationRow> {
  return await transaction
    .selectFrom('revocation')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirstOrThrow();
}

export async function revocationOfTeam(
  database: Database,
  id: string,
  teamId: string,
): Promise<RevocationRow | undefined> {
  return await database
    .selectFrom('revocation')
    .selectAll()
    .where('id', '=', id)
    .where('team_id', '=', teamId)
    .executeTakeFirst();
}

/** Those that are a part of another one, by id. */
export async function partsOf(database: Database, parentId: string): Promise<RevocationRow[]> {
  return await database
    .selectFrom('revocation')
    .selectAll()
    .where('parent_id', '=', parentId)
    .orderBy('id')
    .execute();
}

export interface RevocationFilter {
  teamId: string;
  within?: string | undefined;
  open?: boolean | undefined;
  after?: string | undefined;
  limit: number;
}

/** Revocations of a team by id, which is by time. */
export async function listRevocations(
  database: Database,
  { teamId, within, open, after, limit }: RevocationFilter,
): Promise<RevocationRow[]> {
  return await database
    .selectFrom('revocation')
    .selectAll()
    .where('team_id', '=', teamId)
    .$if(within !== undefined, (q) => q.where('parent_id', '=', within ?? ''))
    .$if(open === true, (q) => q.where('finished_at', 'is', null))
    .$if(open === false, (q) => q.where('finished_at', 'is not', null))
    .$if(after !== undefined, (q) => q.where('id', '>', after ?? ''))
    .orderBy('id')
    .limit(limit)
    .execute();
}
