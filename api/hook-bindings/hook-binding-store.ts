import { type Selectable, sql } from 'kysely';
import { type Database, json } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';
import { splitNaturalId } from '../http/natural-id.ts';
import { conflict } from '../http/problem-error.ts';
import { lockLiveProject } from '../projects/lock-live-project.ts';

export type HookBindingRow = Selectable<Schema['hook_binding']>;

/** What is found out later; a new binding has none of it. */
type FoundLater =
  | 'version'
  | 'reconciled_at'
  | 'compared_since'
  | 'log_read_to'
  | 'looked_at'
  | 'revoked_at_source_host_at'
  | 'remove_again_at';

export async function hookBindingOfProject(database: Database, projectId: string) {
  return await database
    .selectFrom('hook_binding')
    .selectAll()
    .where('project_id', '=', projectId)
    .executeTakeFirst();
}

/** A hook binding of a team whose project is not being revoked. */
export async function hookBindingOfTeam(database: Database, id: string, teamId: string) {
  return await database
    .selectFrom('hook_binding')
    .innerJoin('project', 'project.id', 'hook_binding.project_id')
    .selectAll('hook_binding')
    .where('hook_binding.id', '=', id)
    .where('project.team_id', '=', teamId)
    .where('project.revoking_at', 'is', null)
    .executeTakeFirst();
}

/**
 * Stores a binding that is not at the source host yet; undefined when the project has one already. Run it in a
 * transaction: the project's row is locked, so that no hook appears once a revocation began: 409 then.
 */
export async function insertHookBinding(
  transaction: Database,
  hook: Omit<HookBindingRow, FoundLater>,
): Promise<HookBindingRow | undefined> {
  const project = await lockLiveProject(transaction, hook.project_id);
  if (!project) throw conflict('project_revoked', 'The project is being revoked.', 'project_id');
  return await transaction
    .insertInto('hook_binding')
    .values({
      ...hook,
      branches: json(hook.branches),
      tags: json(hook.tags),
      events: json(hook.events),
    })
    .onConflict((on) => on.column('project_id').doNothing())
    .returningAll()
    .executeTakeFirst();
}

/** False when somebody removed the hook in the meantime, or its project is being revoked. */
export async function setHostedHookId(database: Database, id: string, hostedId: string): Promise<boolean> {
  const { numUpdatedRows } = await database
    .updateTable('hook_binding')
    .from('project')
    .set({ source_host_id: hostedId })
    .where('hook_binding.id', '=', id)
    .whereRef('project.id', '=', 'hook_binding.project_id')
    .where('project.revoking_at', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** What a hook is bound to. */
export type Binding = Pick<HookBindingRow, 'branches' | 'tags' | 'events'>;

/** Binds it to something else when the version is still the one that the caller saw; undefined when it is not. */
export async function setBinding(
  database: Database,
  { id, branches, tags, events, version }: Binding & { id: string; version: number },
): Promise<HookBindingRow | undefined> {
  return await database
    .updateTable('hook_binding')
    .set({
      branches: json(branches),
      tags: json(tags),
      events: json(events),
      version: sql<number>`version + 1`,
    })
    .where('id', '=', id)
    .where('version', '=', version)
    .returningAll()
    .executeTakeFirst();
}

/** False when somebody else did. */
export async function deleteHookBindingRow(database: Database, id: string): Promise<boolean> {
  const { numDeletedRows } = await database
    .deleteFrom('hook_binding')
    .where('id', '=', id)
    .executeTakeFirst();
  return numDeletedRows === 1n;
}

export interface HookFilter {
  teamId: string;
  projectId?: string | undefined;
  /** `team/project`. */
  naturalId?: string | undefined;
  after?: string | undefined;
  limit: number;
}

/** Hooks that are at their source host, by id. */
export async function listHookBindings(database: Database, filter: HookFilter): Promise<HookBindingRow[]> {
  const natural = splitNaturalId(filter.naturalId, ['team', 'project']);
  return await database
    .selectFrom('hook_binding')
    .innerJoin('project', 'project.id', 'hook_binding.project_id')
    .innerJoin('team', 'team.id', 'project.team_id')
    .selectAll('hook_binding')
    .where('project.team_id', '=', filter.teamId)
    .where('project.revoking_at', 'is', null)
    .where('hook_binding.source_host_id', 'is not', null)
    .$if(filter.projectId !== undefined, (q) => q.where('project.id', '=', filter.projectId ?? ''))
    .$if(natural !== undefined, (q) =>
      q.where('team.name', '=', natural?.team ?? '').where('project.name', '=', natural?.project ?? ''),
    )
    .$if(filter.after !== undefined, (q) => q.where('hook_binding.id', '>', filter.after ?? ''))
    .orderBy('hook_binding.id')
    .limit(filter.limit)
    .execute();
}
