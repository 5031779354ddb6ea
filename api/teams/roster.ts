import { sql } from 'kysely';
import { normalAddress } from '../../contract/mail-address.ts';
import type { Role } from '../../contract/role.ts';
import type { TeamMember } from '../../contract/team-member.ts';
import type { Database } from '../db/database.ts';
import type { PageRequest } from '../http/page.ts';
import { notFound, ProblemError } from '../http/problem-error.ts';
import { findInvitation, openInvitations } from './invitation-store.ts';
import { invitationIdOf, memberIdOfInvitation } from './member-id.ts';
import { liveMembers } from './member-store.ts';

/** Somebody who is in a team, or is invited to it. */
export interface RosterRow {
  id: string;
  team: string;
  email: string;
  role: Role;
  created_at: Date;
  /** Of the invitation; null for who is in the team. */
  expires_at: Date | null;
}

export function toTeamMember({ id, team, email, role, created_at, expires_at }: RosterRow): TeamMember {
  return {
    ...{ id, team, email, role, created_at: created_at.toISOString() },
    status: expires_at === null ? 'member' : 'invited',
    expires_at: expires_at?.toISOString() ?? null,
  };
}

/** Those of a team in one table. */
function roster(database: Database, teamId: string, now: Date) {
  const members = liveMembers(database)
    .innerJoin('team', 'team.id', 'team_member.team_id')
    .clearSelect()
    .select(['team_member.id', 'team.name as team', 'team_member.role', 'team_member.created_at'])
    .select(sql<string>`coalesce(person.email, '')`.as('email'))
    .select(sql<Date | null>`null::timestamptz`.as('expires_at'))
    .where('team_member.team_id', '=', teamId);
  const invited = openInvitations(database, now)
    .clearSelect()
    .select([memberIdOfInvitation.as('id'), 'team.name as team', 'invitation.role', 'invitation.created_at'])
    .select('invitation.email')
    .select(sql<Date | null>`invitation.expires_at`.as('expires_at'))
    .where('invitation.team_id', '=', teamId);
  return database.selectFrom(members.unionAll(invited).as('roster')).selectAll();
}

/** Throws 404 when there is nobody; for an invitation that is over, with why. */
export async function readMember(
  database: Database,
  { teamId, id, now }: { teamId: string; id: string; now: Date },
): Promise<RosterRow> {
  const row = await roster(database, teamId, now).where('id', '=', id).executeTakeFirst();
  if (row) return row;
  const invitation = await findInvitation(database, teamId, invitationIdOf(id));
  if (!invitation || invitation.accepted_at) throw notFound('member', id);
  const { email, revoked_at, expires_at } = invitation;
  const why = revoked_at
    ? 'was taken back'
    : expires_at <= now
      ? `ran out at ${expires_at.toISOString()}`
      : 'ended with the key or the membership that it came from';
  const detail = `The invitation of ${email} ${why}. Invite again; in Terraform, plan and apply again.`;
  throw new ProblemError(404, 'invitation_over', detail);
}

/** By id, which is by time of invitation. */
export async function listRoster(
  database: Database,
  { teamId, now }: { teamId: string; now: Date },
  { limit, after }: PageRequest,
  natural: { team: string; email: string } | undefined,
): Promise<RosterRow[]> {
  return await roster(database, teamId, now)
    .$if(after !== undefined, (query) => query.where('id', '>', after ?? ''))
    .$if(natural !== undefined, (query) =>
      query.where('team', '=', natural?.team ?? '').where('email', '=', normalAddress(natural?.email ?? '')),
    )
    .orderBy('id')
    .limit(limit + 1)
    .execute();
}
