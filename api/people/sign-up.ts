import type { ApiContext } from '../context.ts';

/** Who may become a person of this Ebb: everybody, who was invited to a team, or nobody more. */
export const signUpModes = ['open', 'invited', 'closed'] as const;
export type SignUp = (typeof signUpModes)[number];

/** Whether an address, in its normal form, is somebody's or may become that. */
export async function maySignIn(
  { database, signUp }: Pick<ApiContext, 'database' | 'signUp'>,
  email: string,
): Promise<boolean> {
  if (signUp === 'open') return true;
  const person = await database
    .selectFrom('person')
    .select('id')
    .where('email', '=', email)
    .executeTakeFirst();
  return person !== undefined;
}
