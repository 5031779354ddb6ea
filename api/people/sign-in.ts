import type { Person } from '../../contract/person.ts';
import { hashSecret } from '../auth/hash-secret.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import { transact } from '../db/transact.ts';
import { ProblemError } from '../http/problem-error.ts';
import { connectAccount } from './github/connect-account.ts';
import { readPerson } from './read-person.ts';
import { requireLivePerson } from './require-live-person.ts';
import { replaceSession } from './session-store.ts';

/**
 * Signs a person in by the link of a mail, in the browser that asked for it, and signs the person up the first time. A session
 * that the browser had before is ended. Gives the new session's token. Throws 401 for a link that is not good here.
 */
export async function signIn(
  context: ApiContext,
  { token, browser, earlier }: { token: string; browser: string | undefined; earlier: string | undefined },
): Promise<{ session: string; person: Person }> {
  return await transact(context, async (inside) => {
    const { database } = inside;
    const now = inside.now();
    const used = await database
      .deleteFrom('sign_in')
      .where('token_hash', '=', hashSecret(token))
      .where('browser_hash', '=', hashSecret(browser ?? ''))
      .where('expires_at', '>', now)
      .returning(['email', 'github'])
      .executeTakeFirst();
    if (!used) throw linkNotGood();
    const personId = await findOrSignUp(database, used.email, now);
    // Its row is locked before the session refers to it, and the teams' trails last.
    if (used.github) await requireLivePerson(database, personId);
    const session = await replaceSession(inside, personId, earlier);
    if (used.github) await connectAccount(inside, { personId, email: used.email }, used.github);
    return { session, person: await readPerson(database, personId) };
  });
}

async function findOrSignUp(database: Database, email: string, now: Date): Promise<string> {
  await database
    .insertInto('person')
    .values({ id: newId('per'), email, created_at: now })
    .onConflict((conflict) => conflict.column('email').doNothing())
    .execute();
  const row = await database
    .selectFrom('person')
    .select('id')
    .where('email', '=', email)
    .executeTakeFirstOrThrow();
  return row.id;
}

function linkNotGood(): ProblemError {
  const detail =
    'The link was used, has expired, or was asked for in another browser. Ask for a new one and open it in the same browser.';
  return new ProblemError(401, 'link_not_good', detail);
}
