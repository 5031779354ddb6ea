import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { signalCancellation } from './cancel-build.ts';
import { type BuildRow, transition } from './state-machine.ts';

interface Newer {
  projectId: string;
  /** Full ref; builds of no other are cancelled. */
  ref: string;
  /** Of the newer build, where it has one already. */
  number?: number;
}

/**
 * Locks the builds that a newer push to the ref cancels, by what the project declares. In a transaction that inserts the
 * newer one before `insertBuild` locks the project: a claim locks in this order, too.
 */
export async function lockIntermediateBuilds(
  transaction: Database,
  { projectId, ref, number }: Newer,
): Promise<BuildRow[]> {
  const { cancel_intermediate_builds: declared } = await transaction
    .selectFrom('project')
    .select('cancel_intermediate_builds')
    .where('id', '=', projectId)
    .executeTakeFirstOrThrow();
  if (declared === 'none') return [];
  return await transaction
    .selectFrom('build')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('ref', '=', ref)
    .where('trigger', 'in', ['push', 'tag', 'pull_request'])
    .where('finished_at', 'is', null)
    .where('deploy_started', '=', false)
    .$if(declared === 'waiting', (query) => query.where('state', 'in', ['queued', 'awaiting_approval']))
    .$if(number !== undefined, (query) => query.where('number', '<', number ?? 0))
    .orderBy('number', 'desc')
    .forUpdate()
    .execute();
}

/** A build that a newer one cancels; `over` when it was not running. */
export interface Superseded {
  id: string;
  over: boolean;
}

/**
 * Cancels builds that were locked for `newer`, in that transaction, and gives them for `signalCancellations`. A newer
 * one that awaits its approval cancels nothing before it has it.
 */
export async function cancelIntermediateBuilds(
  { database, now }: Pick<ApiContext, 'database' | 'now'>,
  locked: BuildRow[],
  newer: BuildRow,
): Promise<Superseded[]> {
  if (newer.state !== 'queued') return [];
  const reason = `Superseded by build ${newer.id}.`;
  const superseded: Superseded[] = [];
  for (const { id } of locked) {
    const over = await transition(database, id, 'cancel', 'cancelled', { reason, finished_at: now() });
    superseded.push({ id, over: over !== undefined });
    if (over) continue;
    await database
      .updateTable('build')
      .set({ cancel_requested: true, reason })
      .where('id', '=', id)
      .where('cancel_requested', '=', false)
      .execute();
  }
  return superseded;
}

/** Tells queue and watchers of builds that a transaction cancelled, and counts those that are over. */
export async function signalCancellations(context: ApiContext, superseded: Superseded[]): Promise<void> {
  for (const { id, over } of superseded) {
    if (over) context.metrics?.buildEnded('cancelled');
    await signalCancellation(context, id);
  }
}
