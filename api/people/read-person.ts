import type { Person } from '../../contract/person.ts';
import type { Database } from '../db/database.ts';

/** A person as the person sees it. */
export async function readPerson(database: Database, personId: string): Promise<Person> {
  const row = await database
    .selectFrom('person')
    .leftJoin('github_account', 'github_account.person_id', 'person.id')
    .select(['person.id', 'person.email', 'person.created_at', 'login', 'site', 'connected_at'])
    .where('person.id', '=', personId)
    .executeTakeFirstOrThrow();
  const { id, email, created_at, login, site, connected_at } = row;
  return {
    ...{ id, email: email ?? '', created_at: created_at.toISOString() },
    github: login && site && connected_at ? { login, site, connected_at: connected_at.toISOString() } : null,
  };
}
