import type { Database } from '../../db/database.ts';
import type { GithubAccount } from './github-account.ts';

/** Whose account here an account at GitHub opens. */
export async function findPersonOf(
  database: Database,
  { site, id }: GithubAccount,
): Promise<string | undefined> {
  const found = await database
    .selectFrom('github_account')
    .select('person_id')
    .where('site', '=', site)
    .where('github_id', '=', id)
    .executeTakeFirst();
  return found?.person_id;
}

/** Brings its name up to date, once the person is locked; false when it opens the person's account no more. */
export async function noteLogin(
  transaction: Database,
  personId: string,
  { site, id, login }: GithubAccount,
): Promise<boolean> {
  const { numUpdatedRows } = await transaction
    .updateTable('github_account')
    .set({ login })
    .where('site', '=', site)
    .where('github_id', '=', id)
    .where('person_id', '=', personId)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** The account at GitHub of a person. */
export async function findAccountOf(database: Database, personId: string) {
  return await database
    .selectFrom('github_account')
    .selectAll()
    .where('person_id', '=', personId)
    .executeTakeFirst();
}

/** False when the person has an account there already, or somebody else has this one. */
export async function insertAccount(
  database: Database,
  personId: string,
  { site, id, login }: GithubAccount,
  now: Date,
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await database
    .insertInto('github_account')
    .values({ person_id: personId, site, github_id: id, login, connected_at: now })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}

/** Forgets it; gives its name, undefined when there was none. */
export async function deleteAccountOf(database: Database, personId: string): Promise<string | undefined> {
  const gone = await database
    .deleteFrom('github_account')
    .where('person_id', '=', personId)
    .returning('login')
    .executeTakeFirst();
  return gone?.login;
}
