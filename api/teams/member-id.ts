import { sql } from 'kysely';

/** The id of the membership that an invitation leads to, which is known before anybody joins. */
export function memberIdOf(invitationId: string): string {
  return invitationId.replace(/^inv_/, 'mem_');
}

/** The same in a query of `invitation`. */
export const memberIdOfInvitation = sql<string>`'mem_' || substr(invitation.id, 5)`;

/** The id of the invitation that a membership may have come from. */
export function invitationIdOf(memberId: string): string {
  return memberId.replace(/^mem_/, 'inv_');
}
