import type { Selectable } from 'kysely';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';
import { projectAtHost } from '../source-hosts/project-at-host.ts';
import { removeAndConfirm } from '../source-hosts/remove-and-confirm.ts';
import { hookBindingOfProject } from './hook-binding-store.ts';
import { hostedHook } from './hosted-hook.ts';

type RetiredHookRow = Selectable<Schema['retired_hook']>;

/** Notes a hook that is deleted here and may still be at the source host. */
export async function insertRetiredHook(
  { database, now }: Pick<ApiContext, 'database' | 'now'>,
  { id, project_id, source_host_id }: Omit<RetiredHookRow, 'retired_at'>,
): Promise<void> {
  await database
    .insertInto('retired_hook')
    .values({ id, project_id, source_host_id, retired_at: now() })
    .execute();
}

/** The project's hook, if it has one, and those that may still be at the source host. */
export async function hooksOfProject(
  database: Database,
  projectId: string,
): Promise<Pick<RetiredHookRow, 'id' | 'source_host_id'>[]> {
  // The one in use first: what is deleted between the two queries is in both, not in none.
  const inUse = await hookBindingOfProject(database, projectId);
  const retired = await database
    .selectFrom('retired_hook')
    .selectAll()
    .where('project_id', '=', projectId)
    .orderBy('id')
    .execute();
  return [...retired.filter(({ id }) => id !== inUse?.id), ...(inUse ? [inUse] : [])];
}

/** Removes them where the source host shows their repository again; gives how many are gone. */
export async function removeRetiredHooks(context: ApiContext, signal: AbortSignal): Promise<number> {
  const rows = await context.database
    .selectFrom('retired_hook')
    .innerJoin('project', 'project.id', 'retired_hook.project_id')
    .selectAll('retired_hook')
    // A revocation removes them itself.
    .where('project.revoking_at', 'is', null)
    .execute();
  let removed = 0;
  for (const row of rows) {
    try {
      const project = await projectAtHost(context, { projectId: row.project_id });
      const seen = await removeAndConfirm(hostedHook(context, project, row), signal);
      if (seen === 'no_repository') continue;
      await context.database.deleteFrom('retired_hook').where('id', '=', row.id).execute();
      removed += 1;
    } catch (error) {
      signal.throwIfAborted();
      context.log.info({ hook: row.id, error: String(error) }, 'a deleted hook may be at its source host');
    }
  }
  return removed;
}
