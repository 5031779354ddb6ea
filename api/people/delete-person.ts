import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { transact } from '../db/transact.ts';
import { lastOwner } from '../teams/change-member.ts';
import { endMember, isLastOwner, lockMembers, membershipsOf } from '../teams/member-store.ts';
import { teamName } from '../teams/team-name.ts';
import { deleteAccountOf } from './github/account-store.ts';
import { requireLivePerson } from './require-live-person.ts';
import type { SignedIn } from './require-person.ts';
import { endSessions } from './session-store.ts';

/**
 * Ends an account: its sessions, its memberships, and its address, which is free again. Throws 409 when a team would be left without
 * an owner.
 */
export async function deletePerson(context: ApiContext, { personId, email }: SignedIn): Promise<void> {
  await transact(context, async (inside) => {
    const { database } = inside;
    const now = inside.now();
    await requireLivePerson(database, personId);
    const memberships = await membershipsOf(database, personId);
    const ownerless: string[] = [];
    for (const member of memberships) {
      const team = await lockMembers(database, member.team_id);
      if (team === 'live' && (await isLastOwner(database, member)))
        ownerless.push(await teamName(database, member.team_id));
    }
    if (ownerless.length > 0) throw lastOwner(ownerless.join(' and '));
    for (const { id } of memberships) await endMember(database, id, now);
    await endSessions(database, personId);
    await deleteAccountOf(database, personId);
    await database.deleteFrom('address_change').where('person_id', '=', personId).execute();
    await database.deleteFrom('sign_in').where('email', '=', email).execute();
    await database
      .updateTable('person')
      .set({ email: null, deleted_at: now })
      .where('id', '=', personId)
      .execute();
    for (const { id, team_id: teamId } of memberships) {
      const about = { teamId, action: 'team_member.left', actor: id, subject: id };
      await recordAudit(inside, { ...about, detail: { email, why: 'The account was deleted.' } });
    }
  });
}
