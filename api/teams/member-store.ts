import { randomBytes } from 'node:crypto';
import type { Selectable } from 'kysely';
import type { Role } from '../../contract/role.ts';
import type { OwnTeam } from '../../contract/team.ts';
import { insertApiKey } from '../auth/api-key.ts';
import type { Database } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';
import { endInvitationsBy } from './invitation-store.ts';

export type MemberRow = Selectable<Schema['team_member']> & { email: string | null };

/** Live memberships: neither ended nor with their key revoked together with the team's. */
export function liveMembers(database: Database) {
  return database
    .selectFrom('team_member')
    .innerJoin('person', 'person.id', 'team_member.person_id')
    .innerJoin('api_key', 'api_key.id', 'team_member.id')
    .selectAll('team_member')
    .select('person.email')
    .where('team_member.ended_at', 'is', null)
    .where('api_key.revoked_at', 'is', null);
}

export async function findMember(
  database: Database,
  teamId: string,
  id: string,
): Promise<MemberRow | undefined> {
  return await liveMembers(database)
    .where('team_member.team_id', '=', teamId)
    .where('team_member.id', '=', id)
    .executeTakeFirst();
}

/** The one who signs in with this address, in its normal form. */
export async function findMemberByAddress(
  database: Database,
  teamId: string,
  email: string,
): Promise<MemberRow | undefined> {
  return await liveMembers(database)
    .where('team_member.team_id', '=', teamId)
    .where('person.email', '=', email)
    .executeTakeFirst();
}

/** By which a person acts in the team of this name; undefined where it is none of the person's. */
export async function findMembership(
  database: Database,
  personId: string,
  team: string,
): Promise<MemberRow | undefined> {
  return await liveMembers(database)
    .innerJoin('team', 'team.id', 'team_member.team_id')
    .where('team_member.person_id', '=', personId)
    .where('team.name', '=', team)
    .executeTakeFirst();
}

/** All of a person's, in the order of their teams, which is the order in which teams are locked. */
export async function membershipsOf(database: Database, personId: string): Promise<MemberRow[]> {
  return await liveMembers(database)
    .where('team_member.person_id', '=', personId)
    .orderBy('team_member.team_id')
    .execute();
}

/** In how many teams a person is; those that are being revoked, or were, count no more. */
export async function countTeams(database: Database, personId: string): Promise<number> {
  const { count } = await liveMembers(database)
    .innerJoin('team', 'team.id', 'team_member.team_id')
    .clearSelect()
    .select(({ fn }) => fn.countAll<string>().as('count'))
    .where('team_member.person_id', '=', personId)
    .where('team.revoking_at', 'is', null)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Those that the person may ask for anything; of a revoked one, for as long as its receipts can be read. */
export async function teamsOf(database: Database, personId: string, now: Date): Promise<OwnTeam[]> {
  return await liveMembers(database)
    .where((is) => is.or([is('api_key.ends_at', 'is', null), is('api_key.ends_at', '>', now)]))
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
  {
    id: promised,
    teamId,
    personId,
    role,
    now,
  }: { id?: string; teamId: string; personId: string; role: Role; now: Date },
): Promise<string> {
  const key = { id: promised, teamId, name: 'member of the team', scopes: [], now };
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

/** Lets nobody else change the team's members before the transaction ends; tells whether there still is the team. */
export async function lockMembers(
  transaction: Database,
  teamId: string,
): Promise<'live' | 'being revoked' | 'revoked'> {
  const { revoking_at, revoked_at } = await transaction
    .selectFrom('team')
    .select(['revoking_at', 'revoked_at'])
    .where('id', '=', teamId)
    // Not stronger: an audit entry of the team, whose writer holds its chain, refers to the row.
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow();
  if (revoked_at) return 'revoked';
  return revoking_at ? 'being revoked' : 'live';
}

/** Whether a team, whose members are locked, has no other owner than this member. */
export async function isLastOwner(transaction: Database, { id, role, team_id }: MemberRow): Promise<boolean> {
  if (role !== 'owner') return false;
  const other = await liveMembers(transaction)
    .where('team_member.team_id', '=', team_id)
    .where('team_member.role', '=', 'owner')
    .where('team_member.id', '<>', id)
    .executeTakeFirst();
  return other === undefined;
}
