import type { Database } from '../db/database.ts';

/** The name that a team is found by. Throws when there is none of this id. */
export async function teamName(database: Database, id: string): Promise<string> {
  const { name } = await database
    .selectFrom('team')
    .select('name')
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  return name;
}
