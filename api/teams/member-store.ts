import { randomBytes } from 'node:crypto';
import type { Selectable } from 'kysely';
import type { Role } from '../../contract/role.ts';
import type { OwnTeam, TeamMember } from '../../contract/team.ts';
import { insertApiKey } from '../auth/api-key.ts';
import type { Database } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';
import type { PageRequest } from '../http/page.ts';
import { endInvitationsBy } from './invitation-store.ts';

export type MemberRow = Selectable<Schema['team_member']> & { email: string | null };

/** Live memberships: neither ended nor with their key revoked together with the team's. */
function live(database: Database) {
  return database
    .selectFrom('team_member')
    .innerJoin('person', 'person.id', 'team_member.person_id')
    .innerJoin('api_key', 'api_key.id', 'team_member.id')
    .selectAll('team_member')
    .select('person.email')
    .where('team_member.ended_at', 'is', null)
    .where('api_key.revoked_at', 'is', null);
}

export function toMember({ id, email, role, created_at }: MemberRow): TeamMember {
  return { id, email: email ?? '', role, created_at: created_at.toISOString() };
}

export async function findMember(
  database: Database,
  teamId: string,
  id: string,
): Promise<MemberRow | undefined> {
  return await live(database)
    .where('team_member.team_id', '=', teamId)
    .where('team_member.id', '=', id)
    .executeTakeFirst();
}

export async function listMembers(
  database: Database,
  teamId: string,
  { limit, after }: PageRequest,
): Promise<MemberRow[]> {
  return await live(database)
    .where('team_member.team_id', '=', teamId)
    .$if(after !== undefined, (query) => query.where('team_member.id', '>', after ?? ''))
    .orderBy('team_member.id')
    .limit(limit + 1)
    .execute();
}

/** By which a person acts in the team of this name; undefined where it is none of the person's. */
export async function findMembership(
  database: Database,
  personId: string,
  team: string,
): Promise<MemberRow | undefined> {
  return await live(database)
    .innerJoin('team', 'team.id', 'team_member.team_id')
    .where('team_member.person_id', '=', personId)
    .where('team.name', '=', team)
    .executeTakeFirst();
}

/** All of a person's, in the order of their teams, which is the order in which teams are locked. */
export async function membershipsOf(database: Database, personId: string): Promise<MemberRow[]> {
  return await live(database)
    .where('team_member.person_id', '=', personId)
    .orderBy('team_member.team_id')
    .execute();
}

export async function teamsOf(database: Database, personId: string): Promise<OwnTeam[]> {
  return await live(database)
    .innerJoin('team', 'team.id', 'team_member.team_id')
    .clearSelect()
    .select(['team.name', 'team_member.id as member_id', 'team_member.role'])
    .where('team_member.person_id', '=', personId)
    .orderBy('team.name')
    .execute();
}

/**
 * Makes a person a member; gives the membership's id. Behind it stands an API key that nobody holds, so that what ends keys
 * ends it too.
 */
export async function insertMember(
  transaction: Database,
  { teamId, personId, role, now }: { teamId: string; personId: string; role: Role; now: Date },
): Promise<string> {
  const key = { teamId, name: 'member of the team', scopes: [], now };
  const id = await insertApiKey(transaction, { ...key, kind: 'member' }, randomBytes(32));
  await transaction
    .insertInto('team_member')
    .values({ id, team_id: teamId, person_id: personId, role, created_at: now })
    .execute();
  return id;
}

/**
 * Ends a membership and, since each request looks it up, whatever goes on by it. Its invitations end too, so that nobody comes
 * back by one of his own.
 */
export async function endMember(transaction: Database, id: string, now: Date): Promise<void> {
  await endInvitationsBy(transaction, id, now);
  await transaction.updateTable('team_member').set({ ended_at: now }).where('id', '=', id).execute();
  await transaction.updateTable('api_key').set({ revoked_at: now }).where('id', '=', id).execute();
}

/** Lets nobody else change the team's members before the transaction ends; false for a team that is being revoked. */
export async function lockMembers(transaction: Database, teamId: string): Promise<boolean> {
  const team = await transaction
    .selectFrom('team')
    .select('revoking_at')
    .where('id', '=', teamId)
    // Not stronger: an audit entry of the team, whose writer holds its chain, refers to the row.
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow();
  return team.revoking_at === null;
}

/** Whether a team, whose members are locked, has no other owner than this member. */
export async function isLastOwner(transaction: Database, { id, role, team_id }: MemberRow): Promise<boolean> {
  if (role !== 'owner') return false;
  const other = await live(transaction)
    .where('team_member.team_id', '=', team_id)
    .where('team_member.role', '=', 'owner')
    .where('team_member.id', '<>', id)
    .executeTakeFirst();
  return other === undefined;
}
