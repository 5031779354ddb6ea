import type { Database } from '../../db/database.ts';
import type { GithubAccount } from './github-account.ts';

/** Whose account here an account at GitHub opens; its name is brought up to date. */
export async function findPersonOf(
  database: Database,
  { site, id, login }: GithubAccount,
): Promise<string | undefined> {
  const found = await database
    .updateTable('github_account')
    .set({ login })
    .where('site', '=', site)
    .where('github_id', '=', id)
    .returning('person_id')
    .executeTakeFirst();
  return found?.person_id;
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
