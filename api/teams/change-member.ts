import { type Role, scopesOfRole } from '../../contract/role.ts';
import { recordAudit } from '../audit/record-audit.ts';
import { requireForOwner, requireHeld } from '../auth/held-scopes.ts';
import { lockPrincipal } from '../auth/lock-principal.ts';
import type { Principal } from '../auth/principal.ts';
import type { ApiContext } from '../context.ts';
import { transact } from '../db/transact.ts';
import { conflict, notFound, type ProblemError } from '../http/problem-error.ts';
import { endInvitationsBy } from './invitation-store.ts';
import { endMember, findMember, isLastOwner, lockMembers } from './member-store.ts';

/**
 * Gives a member another role, which counts at once. Throws 404, 409 for the last owner, 422 for a role beyond the principal's
 * and 403 for an owner without leave.
 */
export async function changeRole(
  context: ApiContext,
  claimed: Principal,
  { id, role }: { id: string; role: Role },
): Promise<void> {
  const { teamId, keyId: actor } = claimed;
  await transact(context, async (inside) => {
    const { row, principal } = await locked(inside, claimed, id);
    requireHeld(principal, scopesOfRole[role], 'role');
    if (row.role === role) return;
    requireForOwner(principal, row);
    if (await isLastOwner(inside.database, row)) throw lastOwner();
    await inside.database.updateTable('team_member').set({ role }).where('id', '=', id).execute();
    if (row.role === 'owner') await endInvitationsBy(inside.database, id, inside.now());
    const detail = { email: row.email, role, before: row.role };
    await recordAudit(inside, { teamId, action: 'team_member.role_changed', actor, subject: id, detail });
  });
}

/**
 * Takes a member out of the team at once; somebody may leave by himself. A team that is revoked needs no owner: who revoked it,
 * and can read its receipts for a while, may leave it sooner. Throws 404, 409 for the last owner and 403 for an owner without leave.
 */
export async function removeMember(context: ApiContext, claimed: Principal, id: string): Promise<void> {
  const { teamId, keyId: actor } = claimed;
  const isOwn = id === actor;
  await transact(context, async (inside) => {
    const { row, team, principal } = await locked(inside, claimed, id);
    if (!isOwn) requireForOwner(principal, row);
    if (team === 'being revoked') throw beingRevoked();
    if (team === 'live' && (await isLastOwner(inside.database, row))) throw lastOwner();
    await endMember(inside.database, id, inside.now());
    const action = isOwn ? 'team_member.left' : 'team_member.removed';
    await recordAudit(inside, { teamId, action, actor, subject: id, detail: { email: row.email } });
  });
}

/** 409: a team without an owner could not be given one. */
export function lastOwner(teams = 'the team'): ProblemError {
  return conflict(
    'last_owner',
    `This is the last owner of ${teams}. Make somebody else an owner first, or revoke the team.`,
  );
}

async function locked(inside: ApiContext, claimed: Principal, id: string) {
  const { teamId } = claimed;
  const team = await lockMembers(inside.database, teamId);
  const principal = await lockPrincipal(inside, claimed, { whileTeamIsRevoked: true });
  const row = await findMember(inside.database, teamId, id);
  if (!row) throw notFound('member', id);
  return { row, team, principal };
}

function beingRevoked(): ProblemError {
  const detail =
    'The team is being revoked, and nobody else is left who can follow that. Leave it when the revocation is finished.';
  return conflict('team_revoked', detail);
}
