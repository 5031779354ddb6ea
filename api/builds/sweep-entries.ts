import type { ApiContext } from '../context.ts';

const pageSize = 1_000;

/** Looks at a page of the queue: entries of builds that are over are forgotten. Gives the cursor of the next page. */
export async function sweepEntries(
  { queue, database, metrics }: ApiContext,
  cursor: string | undefined,
): Promise<string | undefined> {
  const { entries, next } = await queue.page(cursor, pageSize);
  if (entries.length === 0) return next;
  // A row is there before its entry, so an entry without a row in this later look is one of a build that is over.
  const builds = await database
    .selectFrom('build')
    .select('id')
    .where(
      'id',
      'in',
      entries.map(({ build }) => build),
    )
    .where('finished_at', 'is', null)
    .where('state', '<>', 'awaiting_approval')
    .execute();
  const known = new Set(builds.map(({ id }) => id));
  const orphans = entries.filter(({ build }) => !known.has(build));
  await Promise.all(orphans.map(({ build }) => queue.forget(build)));
  metrics?.repaired('forgotten', orphans.length);
  return next;
}
