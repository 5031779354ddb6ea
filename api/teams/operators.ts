import type { Database } from '../db/database.ts';

/** Name of the team that the keys of runners and operators belong to; it owns no projects. */
export const operators = 'ebb-operators';

/** Id of that team; undefined before the first start. */
export async function findOperatorsId(database: Database): Promise<string | undefined> {
  const team = await database
    .selectFrom('team')
    .select('id')
    .where('name', '=', operators)
    .executeTakeFirst();
  return team?.id;
}
