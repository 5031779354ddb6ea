import { normalAddress } from '../../contract/mail-address.ts';
import { scopesOfRole } from '../../contract/role.ts';
import type { Invitation, InvitationCreation, OwnTeam } from '../../contract/team.ts';
import { recordAudit } from '../audit/record-audit.ts';
import { hashSecret } from '../auth/hash-secret.ts';
import { requireHeld } from '../auth/held-scopes.ts';
import type { Principal } from '../auth/principal.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import { transact } from '../db/transact.ts';
import { conflict, ProblemError } from '../http/problem-error.ts';
import { queueLink } from '../mail/outbox.ts';
import { makeToken } from '../people/one-time-token.ts';
import { requireLivePerson } from '../people/require-live-person.ts';
import type { SignedIn } from '../people/require-person.ts';
import { openInvitations, toInvitation } from './invitation-store.ts';
import { insertMember, lockMembers } from './member-store.ts';
import { teamName } from './team-name.ts';

const goodMs = 7 * 24 * 3_600_000;

/**
 * Invites an address, in place of an invitation that it has already. Throws 409 for a member, and 422 for a role with more than
 * the principal has.
 */
export async function invite(
  context: ApiContext,
  principal: Principal,
  { email: written, role }: InvitationCreation,
): Promise<Invitation> {
  requireHeld(principal, scopesOfRole[role], 'role');
  const email = normalAddress(written);
  const { teamId, keyId: actor } = principal;
  const token = makeToken();
  return await transact(context, async (inside) => {
    const { database } = inside;
    const now = inside.now();
    await lockMembers(database, teamId);
    await requireNoMember(database, teamId, email);
    if (context.signUp === 'closed') await requirePerson(database, email);
    await takeBackOpen(database, teamId, { email, now });
    const row = {
      ...{ id: newId('inv'), team_id: teamId, email, role, token_hash: hashSecret(token) },
      ...{ created_at: now, created_by: actor, expires_at: new Date(now.getTime() + goodMs) },
      ...{ accepted_at: null, revoked_at: null },
    };
    await database.insertInto('invitation').values(row).execute();
    const team = await teamName(database, teamId);
    await queueLink(inside, database, {
      ...{ recipient: email, expiresAt: row.expires_at, teamId },
      subject: `Invitation to the team ${team} at Ebb`,
      body: `You are invited to the team ${team} at ${context.publicUrl}, as ${role}.\n\nSign in with this address at ${context.publicUrl}/sign-in, then open the link within a week. Whoever does not know the team can leave it.`,
      link: `${context.publicUrl}/invitation#token=${token}`,
    });
    const detail = { email, role, expires_at: row.expires_at.toISOString() };
    await recordAudit(inside, { teamId, action: 'invitation.created', actor, subject: row.id, detail });
    return toInvitation(row);
  });
}

/** Joins the team of an invitation to the person's address. Throws 404 for one that is not good or not for it, 409 for a member. */
export async function accept(context: ApiContext, person: SignedIn, token: string): Promise<OwnTeam> {
  return await transact(context, async (inside) => {
    const { database } = inside;
    const now = inside.now();
    await requireLivePerson(database, person.personId);
    const invitation = await openInvitations(database, now)
      .where('invitation.token_hash', '=', hashSecret(token))
      .where('invitation.email', '=', person.email)
      .executeTakeFirst();
    if (!invitation) throw notGood();
    const { team_id: teamId, role, id } = invitation;
    const isLive = await lockMembers(database, teamId);
    if (!isLive || !(await use(database, id, now))) throw notGood();
    await requireNoMember(database, teamId, person.email);
    const member = await insertMember(database, { teamId, personId: person.personId, role, now });
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

/** Takes an invitation back; one that is over stays as it is. */
export async function takeBack(context: ApiContext, { teamId, keyId }: Principal, id: string): Promise<void> {
  await transact(context, async (inside) => {
    const ended = await inside.database
      .updateTable('invitation')
      .set({ revoked_at: inside.now() })
      .where('id', '=', id)
      .where('accepted_at', 'is', null)
      .where('revoked_at', 'is', null)
      .returning('email')
      .executeTakeFirst();
    if (!ended) return;
    const about = { teamId, action: 'invitation.revoked', actor: keyId, subject: id };
    await recordAudit(inside, { ...about, detail: { email: ended.email } });
  });
}

async function takeBackOpen(
  database: Database,
  teamId: string,
  { email, now }: { email: string; now: Date },
): Promise<void> {
  await database
    .updateTable('invitation')
    .set({ revoked_at: now })
    .where('team_id', '=', teamId)
    .where('email', '=', email)
    .where('accepted_at', 'is', null)
    .where('revoked_at', 'is', null)
    .execute();
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

async function requireNoMember(database: Database, teamId: string, email: string): Promise<void> {
  const member = await database
    .selectFrom('team_member')
    .innerJoin('person', 'person.id', 'team_member.person_id')
    .select('team_member.id')
    .where('team_id', '=', teamId)
    .where('person.email', '=', email)
    .where('ended_at', 'is', null)
    .executeTakeFirst();
  if (member)
    throw conflict('already_member', `${email} is in the team already. Change the role instead.`, 'email');
}

function notGood(): ProblemError {
  const detail =
    'The invitation was used, taken back or has expired, or is for another address than the one you are signed in with.';
  return new ProblemError(404, 'link_not_good', detail);
}
