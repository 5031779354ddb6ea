import type { Database } from '../db/database.ts';
import { ProblemError } from '../http/problem-error.ts';

/**
 * Lets nobody else change what the person is a member of before the transaction ends. It comes before teams are locked. Throws
 * 401 when the account was deleted meanwhile.
 */
export async function requireLivePerson(transaction: Database, personId: string): Promise<void> {
  const person = await transaction
    .selectFrom('person')
    .select('id')
    .where('id', '=', personId)
    .where('deleted_at', 'is', null)
    .forUpdate()
    .executeTakeFirst();
  if (!person) throw notSignedIn();
}

export function notSignedIn(): ProblemError {
  const detail =
    'Nobody is signed in here, or the session has ended. POST /v1/sign-in sends a link by e-mail.';
  return new ProblemError(401, 'not_signed_in', detail);
}
