import { sql } from 'kysely';
import type { ApiContext } from '../context.ts';

const buildsAtOnce = 20;

/** For the row of a project whose secrets are destroyed: the first moment counts. */
export const logsDestroyedAt = sql<Date>`coalesce(logs_destroyed_at, now())`;

/**
 * Deletes the logs of projects whose log key was destroyed; without it they are noise. The revocation need not wait for
 * it, since a project may have gigabytes of logs. Can be killed and repeated. Resolves with how many projects were done.
 */
export async function eraseLogs({ database, now }: ApiContext, signal: AbortSignal): Promise<number> {
  const projects = await database
    .selectFrom('project')
    .select('id')
    .where('logs_destroyed_at', 'is not', null)
    .where('logs_erased_at', 'is', null)
    .execute();
  for (const { id } of projects) {
    for (;;) {
      signal.throwIfAborted();
      const builds = await database
        .selectFrom('build')
        .select('id')
        .where('project_id', '=', id)
        .where(({ exists, selectFrom }) =>
          exists(selectFrom('build_log').select('position').whereRef('build_id', '=', 'build.id')),
        )
        .limit(buildsAtOnce)
        .execute();
      if (builds.length === 0) break;
      const ids = builds.map((build) => build.id);
      await database.deleteFrom('build_log').where('build_id', 'in', ids).execute();
    }
    await database.updateTable('project').set({ logs_erased_at: now() }).where('id', '=', id).execute();
  }
  return projects.length;
}
