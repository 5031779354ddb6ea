import type { Insertable, Selectable } from 'kysely';
import type { Invitation } from '../../contract/invitation.ts';
import type { Database } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';
import type { PageRequest } from '../http/page.ts';

export type InvitationRow = Selectable<Schema['invitation']>;

export function toInvitation(row: InvitationRow): Invitation {
  const { id, email, role, created_at, created_by, expires_at, accepted_at, revoked_at } = row;
  return {
    ...{ id, email, role, created_by, created_at: created_at.toISOString() },
    expires_at: expires_at.toISOString(),
    accepted_at: accepted_at?.toISOString() ?? null,
    revoked_at: revoked_at?.toISOString() ?? null,
  };
}

/** Those that may still be accepted, in teams that are there: who invited must still be able to. */
export function openInvitations(database: Database, now: Date) {
  return database
    .selectFrom('invitation')
    .innerJoin('team', 'team.id', 'invitation.team_id')
    .innerJoin('api_key', 'api_key.id', 'invitation.created_by')
    .selectAll('invitation')
    .where('api_key.revoked_at', 'is', null)
    .where((is) => is.or([is('api_key.ends_at', 'is', null), is('api_key.ends_at', '>', now)]))
    .where('team.revoking_at', 'is', null)
    .where('invitation.accepted_at', 'is', null)
    .where('invitation.revoked_at', 'is', null)
    .where('invitation.expires_at', '>', now);
}

export async function findInvitation(
  database: Database,
  teamId: string,
  id: string,
): Promise<InvitationRow | undefined> {
  return await database
    .selectFrom('invitation')
    .selectAll()
    .where('team_id', '=', teamId)
    .where('id', '=', id)
    .executeTakeFirst();
}

/** The one of an address that may still be accepted. */
export async function findOpenInvitation(
  database: Database,
  { teamId, email, now }: { teamId: string; email: string; now: Date },
): Promise<InvitationRow | undefined> {
  return await openInvitations(database, now)
    .where('invitation.team_id', '=', teamId)
    .where('invitation.email', '=', email)
    .executeTakeFirst();
}

/** Writes a new one, or one that is made anew under its id; the link of before opens nothing then. */
export async function putInvitation(
  transaction: Database,
  row: Omit<Insertable<Schema['invitation']>, 'accepted_at' | 'revoked_at'>,
): Promise<InvitationRow> {
  const open = { accepted_at: null, revoked_at: null };
  return await transaction
    .insertInto('invitation')
    .values({ ...row, ...open })
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ ...row, ...open }))
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Oldest first, those that are over too. */
export async function listInvitations(
  database: Database,
  teamId: string,
  { limit, after }: PageRequest,
): Promise<InvitationRow[]> {
  return await database
    .selectFrom('invitation')
    .selectAll()
    .where('team_id', '=', teamId)
    .$if(after !== undefined, (query) => query.where('id', '>', after ?? ''))
    .orderBy('id')
    .limit(limit + 1)
    .execute();
}

/** Closes what nobody can accept any more of an address. */
export async function endOverInvitations(
  transaction: Database,
  { teamId, email, now }: { teamId: string; email: string; now: Date },
): Promise<void> {
  await transaction
    .updateTable('invitation')
    .set({ revoked_at: now })
    .where('team_id', '=', teamId)
    .where('email', '=', email)
    .where('accepted_at', 'is', null)
    .where('revoked_at', 'is', null)
    .execute();
}

export async function endInvitation(transaction: Database, id: string, now: Date): Promise<void> {
  await transaction.updateTable('invitation').set({ revoked_at: now }).where('id', '=', id).execute();
}

/** Takes back what a member, or the holder of a key, invited to and what nobody has accepted yet. */
export async function endInvitationsBy(transaction: Database, id: string, now: Date): Promise<void> {
  await transaction
    .updateTable('invitation')
    .set({ revoked_at: now })
    .where('created_by', '=', id)
    .where('accepted_at', 'is', null)
    .where('revoked_at', 'is', null)
    .execute();
}
