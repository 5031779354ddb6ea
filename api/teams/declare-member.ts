import type { InvitationCreation } from '../../contract/invitation.ts';
import { normalAddress } from '../../contract/mail-address.ts';
import { type TeamMember, teamMember } from '../../contract/team-member.ts';
import type { Principal } from '../auth/principal.ts';
import type { ApiContext } from '../context.ts';
import { transact } from '../db/transact.ts';
import { howToImport } from '../http/how-to-import.ts';
import type { Remember } from '../http/idempotency.ts';
import { conflict } from '../http/problem-error.ts';
import { findOpenInvitation } from './invitation-store.ts';
import { inviteLocked } from './invite.ts';
import { memberIdOf } from './member-id.ts';
import { findMemberByAddress, lockMembers } from './member-store.ts';
import { readMember, toTeamMember } from './roster.ts';
import { teamName } from './team-name.ts';

/**
 * Invites somebody who is neither in the team nor invited. Throws 409 for who is, with how to import him; else as `invite`.
 */
export async function declareMember(
  context: ApiContext,
  principal: Principal,
  { email: written, role }: InvitationCreation,
  remember: Remember<TeamMember>,
): Promise<TeamMember> {
  const { teamId } = principal;
  const email = normalAddress(written);
  return await transact(context, async (inside) => {
    const { database } = inside;
    const now = inside.now();
    await lockMembers(database, teamId);
    const how = async () => howToImport(teamMember, await teamName(database, teamId), { email });
    if (await findMemberByAddress(database, teamId, email))
      throw conflict('already_member', `${email} is in the team already. ${await how()} instead.`, 'email');
    if (await findOpenInvitation(database, { teamId, email, now }))
      throw conflict('already_invited', `${email} is invited already. ${await how()} instead.`, 'email');
    const { id } = await inviteLocked(inside, principal, { email, role });
    const made = toTeamMember(await readMember(database, { teamId, id: memberIdOf(id), now }));
    await remember(database, made);
    return made;
  });
}
