import type { ApiContext } from '../context.ts';
import { openInvitations } from '../teams/invitation-store.ts';

/** Who may become a person of this Ebb: everybody, who was invited to a team, or nobody more. */
export const signUpModes = ['open', 'invited', 'closed'] as const;
export type SignUp = (typeof signUpModes)[number];

/** Whether an address, in its normal form, is somebody's or may become that. */
export async function maySignIn(
  { database, now, signUp }: Pick<ApiContext, 'database' | 'now' | 'signUp'>,
  email: string,
): Promise<boolean> {
  if (signUp === 'open') return true;
  const person = await database
    .selectFrom('person')
    .select('id')
    .where('email', '=', email)
    .executeTakeFirst();
  if (person || signUp === 'closed') return person !== undefined;
  const invitation = await openInvitations(database, now())
    .where('invitation.email', '=', email)
    .executeTakeFirst();
  return invitation !== undefined;
}
