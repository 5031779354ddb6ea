import type { InvitationCreation } from '../../contract/invitation.ts';
import { normalAddress } from '../../contract/mail-address.ts';
import { scopesOfRole } from '../../contract/role.ts';
import { recordAudit } from '../audit/record-audit.ts';
import { hashSecret } from '../auth/hash-secret.ts';
import { requireForOwner, requireHeld } from '../auth/held-scopes.ts';
import { lockPrincipal } from '../auth/lock-principal.ts';
import type { Principal } from '../auth/principal.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import { transact } from '../db/transact.ts';
import { conflict, notFound } from '../http/problem-error.ts';
import { queueLink } from '../mail/outbox.ts';
import { makeToken } from '../people/one-time-token.ts';
import {
  endInvitation,
  endOverInvitations,
  findInvitation,
  findOpenInvitation,
  type InvitationRow,
  putInvitation,
} from './invitation-store.ts';
import { findMemberByAddress, lockMembers } from './member-store.ts';
import { teamName } from './team-name.ts';

const goodMs = 7 * 24 * 3_600_000;
/** What it means for invitations that no mail can be sent. */
export const noInvitation = 'nobody would get the invitation';

/**
 * Invites an address; an invitation that it has already is made anew, with another link. Throws 409 for a member, 422 for a
 * role with more than the principal has, and 403 when it would take the place of an owner's without leave.
 */
export async function invite(
  context: ApiContext,
  principal: Principal,
  { email, role }: InvitationCreation,
): Promise<InvitationRow> {
  return await transact(context, async (inside) => {
    await lockMembers(inside.database, principal.teamId);
    return await inviteLocked(inside, principal, { email: normalAddress(email), role });
  });
}

/** The same within a transaction that has locked the members. */
export async function inviteLocked(
  inside: ApiContext,
  claimed: Principal,
  { email, role }: InvitationCreation,
): Promise<InvitationRow> {
  const principal = await lockPrincipal(inside, claimed);
  requireHeld(principal, scopesOfRole[role], 'role');
  const { teamId, keyId: actor } = principal;
  const { database } = inside;
  const now = inside.now();
  await requireNoMember(database, teamId, email);
  if (inside.signUp === 'closed') await requirePerson(database, email);
  const open = await findOpenInvitation(database, { teamId, email, now });
  if (open) requireForOwner(principal, open);
  else await endOverInvitations(database, { teamId, email, now });
  const token = makeToken();
  const row = await putInvitation(database, {
    ...{ id: open?.id ?? newId('inv'), team_id: teamId, email, role, token_hash: hashSecret(token) },
    ...{ created_at: now, created_by: actor, expires_at: new Date(now.getTime() + goodMs) },
  });
  const team = await teamName(database, teamId);
  await queueLink(inside, database, {
    ...{ recipient: email, expiresAt: row.expires_at, teamId },
    subject: `Invitation to the team ${team} at Ebb`,
    body: `You are invited to the team ${team} at ${inside.publicUrl}, as ${role}.\n\nSign in with this address at ${inside.publicUrl}/sign-in, then open the link within a week. Whoever does not know the team can leave it.`,
    link: `${inside.publicUrl}/invitation#token=${token}`,
  });
  const detail = { email, role, expires_at: row.expires_at.toISOString() };
  await recordAudit(inside, { teamId, action: 'invitation.created', actor, subject: row.id, detail });
  return row;
}

/**
 * Takes an invitation back; one that is over stays as it is. Gives whether somebody had joined by it. Throws 404, and 403 for an
 * owner's without leave.
 */
export async function takeBack(
  context: ApiContext,
  principal: Principal,
  id: string,
): Promise<{ isAccepted: boolean }> {
  const { teamId, keyId: actor } = principal;
  return await transact(context, async (inside) => {
    await lockMembers(inside.database, teamId);
    const row = await findInvitation(inside.database, teamId, id);
    if (!row) throw notFound('invitation', id);
    if (row.accepted_at || row.revoked_at) return { isAccepted: row.accepted_at !== null };
    requireForOwner(await lockPrincipal(inside, principal), row);
    await endInvitation(inside.database, id, inside.now());
    const detail = { email: row.email };
    await recordAudit(inside, { teamId, action: 'invitation.revoked', actor, subject: id, detail });
    return { isAccepted: false };
  });
}

/** Where nobody new may sign in, an invitation would lead nowhere. */
async function requirePerson(database: Database, email: string): Promise<void> {
  const person = await database
    .selectFrom('person')
    .select('id')
    .where('email', '=', email)
    .executeTakeFirst();
  if (person) return;
  const detail = `Nobody has signed in here as ${email}, and nobody new can: whoever operates Ebb must set EBB_SIGN_UP to invited or open.`;
  throw conflict('sign_up_closed', detail, 'email');
}

/** Throws 409 for who is in the team already. */
export async function requireNoMember(database: Database, teamId: string, email: string): Promise<void> {
  if (await findMemberByAddress(database, teamId, email))
    throw conflict('already_member', `${email} is in the team already. Change the role instead.`, 'email');
}
