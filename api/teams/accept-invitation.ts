import type { OwnTeam } from '../../contract/team.ts';
import { recordAudit } from '../audit/record-audit.ts';
import { hashSecret } from '../auth/hash-secret.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { transact } from '../db/transact.ts';
import { ProblemError } from '../http/problem-error.ts';
import { requireLivePerson } from '../people/require-live-person.ts';
import type { SignedIn } from '../people/require-person.ts';
import { openInvitations } from './invitation-store.ts';
import { requireNoMember } from './invite.ts';
import { memberIdOf } from './member-id.ts';
import { insertMember, lockMembers } from './member-store.ts';
import { teamName } from './team-name.ts';

/** Joins the team of an invitation to the person's address. Throws 404 for one that is not good or not for it, 409 for a member. */
export async function accept(context: ApiContext, person: SignedIn, token: string): Promise<OwnTeam> {
  return await transact(context, async (inside) => {
    const { database } = inside;
    const now = inside.now();
    await requireLivePerson(database, person.personId);
    const find = () =>
      openInvitations(database, now)
        .where('invitation.token_hash', '=', hashSecret(token))
        .where('invitation.email', '=', person.email)
        .executeTakeFirst();
    const found = await find();
    if (!found || (await lockMembers(database, found.team_id)) !== 'live') throw notGood();
    // It may have been made anew, with another role, before the members were locked.
    const invitation = await find();
    if (!invitation || !(await use(database, invitation.id, now))) throw notGood();
    const { team_id: teamId, role, id } = invitation;
    await requireNoMember(database, teamId, person.email);
    const joined = { id: memberIdOf(id), teamId, personId: person.personId, role, now };
    const member = await insertMember(database, joined);
    const detail = { email: person.email, role, invitation: id };
    await recordAudit(inside, {
      ...{ teamId, action: 'team_member.joined', actor: member, subject: member, detail },
    });
    return { name: await teamName(database, teamId), member_id: member, role };
  });
}

/** False when somebody else used it or took it back. */
async function use(database: Database, id: string, now: Date): Promise<boolean> {
  const { numUpdatedRows } = await database
    .updateTable('invitation')
    .set({ accepted_at: now })
    .where('id', '=', id)
    .where('accepted_at', 'is', null)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

function notGood(): ProblemError {
  const detail =
    'The invitation was used, taken back or has expired, or is for another address than the one you are signed in with.';
  return new ProblemError(404, 'link_not_good', detail);
}
