import { sql } from 'kysely';
import type { ApiContext } from '../context.ts';
import { newId } from '../db/new-id.ts';

/** Writes rows of builds that wait, a second apart and settled; gives their ids in that order. Redis does not hear of them. */
export async function insertWaiting(
  { database }: ApiContext,
  projectId: string,
  count: number,
): Promise<string[]> {
  const { team_id } = await database
    .selectFrom('project')
    .select('team_id')
    .where('id', '=', projectId)
    .executeTakeFirstOrThrow();
  const from = Date.now() - (count + 60) * 1_000;
  const times = Array.from({ length: count }, (_, index) => from + index * 1_000);
  const ids = times.map((time) => newId('bld', time));
  await sql`
    insert into build (id, project_id, team_id, number, state, trigger, ref, branch, commit, message, queued_at, status_version)
    select id, ${projectId}, ${team_id}, 10000 + row_number() over (order by id), 'queued', 'api', 'refs/heads/main', 'main',
      repeat('a', 40), '', to_timestamp(at / 1000.0), 1
    from unnest(${ids}::text[], ${times}::float8[]) as waiting (id, at)
  `.execute(database);
  return ids;
}
