import { sql } from 'kysely';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import type { HookBindingRow } from '../hook-bindings/hook-binding-store.ts';
import { SourceHostError } from '../source-hosts/errors.ts';
import { type ProjectAtHost, projectAtHost } from '../source-hosts/project-at-host.ts';
import type { Delivery } from '../source-hosts/source-host.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';
import { catchUpBranches, noteFirstHeads } from './catch-up-branches.ts';

const intervalMs = 300_000;
const listMs = 30_000;
const atOnce = 4;
const maxRedeliveries = 20;
// GitHub delivers again what it delivered in the last three days:
// https://docs.github.com/en/webhooks/testing-and-troubleshooting-webhooks/redelivering-webhooks
const longestAgoMs = 3 * 86_400_000 - intervalMs;
// Deliveries may still be on their way, and the clocks of two machines differ a little.
const overlapMs = 3_600_000;

interface Due {
  id: string;
  projectId: string;
}

/**
 * Looks for what hooks missed: asks the source host to deliver again what failed, then compares the heads of branches
 * with those that were told. A few hooks at a time, each every five minutes; resolves with how many.
 */
export async function reconcileHooks(context: ApiContext, signal: AbortSignal): Promise<number> {
  const due = await claimDue(context);
  await Promise.all(
    due.map((hook) =>
      reconcile(context, hook, signal).catch((error) => {
        if (signal.aborted) return;
        const expected = error instanceof SourceHostError;
        context.log[expected ? 'info' : 'warn'](
          { hook_binding: hook.id, error: String(error) },
          'a hook could not be compared with its source host',
        );
      }),
    ),
  );
  return due.length;
}

/** The time is set first, so that no two processes look at one hook; what one that dies left is for the next round. */
async function claimDue({ database, now }: ApiContext): Promise<Due[]> {
  const at = now();
  return await database.transaction().execute(async (transaction) => {
    const rows = await transaction
      .selectFrom('hook_binding')
      .innerJoin('project', 'project.id', 'hook_binding.project_id')
      .select(['hook_binding.id', 'hook_binding.project_id'])
      .where('hook_binding.source_host_id', 'is not', null)
      .where('project.revoking_at', 'is', null)
      .where(({ or, eb }) =>
        or([eb('reconciled_at', 'is', null), eb('reconciled_at', '<', new Date(at.getTime() - intervalMs))]),
      )
      .orderBy(sql`reconciled_at nulls first`)
      .limit(atOnce)
      .forNoKeyUpdate(['hook_binding'])
      .skipLocked()
      .execute();
    if (rows.length === 0) return [];
    const ids = rows.map(({ id }) => id);
    await transaction.updateTable('hook_binding').set({ reconciled_at: at }).where('id', 'in', ids).execute();
    return rows.map(({ id, project_id }) => ({ id, projectId: project_id }));
  });
}

/** Log and branches are looked at each for itself, so that one that cannot be read does not keep the other from it. */
async function reconcile(context: ApiContext, { id, projectId }: Due, signal: AbortSignal): Promise<void> {
  const hook = await context.database
    .selectFrom('hook_binding')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst();
  if (!hook || hook.source_host_id === null) return;
  const project = await projectAtHost(context, { projectId });
  // First the log: what it brings needs no comparison, and says more than a head does.
  const log = await settle(redeliverFailed(context, { hook, project }, signal));
  if (log.value)
    context.log.info({ hook_binding: id, deliveries: log.value }, 'missed deliveries were asked for');
  const heads = await settle(compareBranches(context, { hook, project }, signal));
  for (const { error } of [log, heads]) if (error !== undefined) throw error;
}

async function settle<T>(work: Promise<T>): Promise<{ value?: T; error?: unknown }> {
  return await work.then(
    (value) => ({ value }),
    (error) => ({ error }),
  );
}

interface Looked {
  hook: HookBindingRow;
  project: ProjectAtHost;
}

async function compareBranches(
  context: ApiContext,
  { hook, project }: Looked,
  signal: AbortSignal,
): Promise<void> {
  if (!hook.events.includes('push') || hook.branches.length === 0) return;
  const at = context.now();
  const branches = await withDeadline(signal, listMs, (inTime) =>
    project.host.listBranches(project.repository, inTime),
  );
  if (hook.compared_since === null) return await noteFirstHeads(context, hook.id, branches, at);
  await catchUpBranches(context, { hook, project, branches, at }, signal);
}

/**
 * Asks for the oldest deliveries that did not come, and gives how many. What came in spite of a bad answer is known by
 * its delivery id and not asked for. How far the log is read is noted only when nothing of it is left to ask for.
 */
async function redeliverFailed(
  { database, now }: ApiContext,
  { hook, project: { host, repository } }: Looked,
  signal: AbortSignal,
): Promise<number> {
  const hookId = hook.source_host_id;
  if (!host.failedDeliveries || !host.redeliver || hookId === null) return 0;
  const began = now();
  const last = (hook.log_read_to ?? hook.created_at).getTime() - overlapMs;
  const since = new Date(Math.max(last, began.getTime() - longestAgoMs));
  const failed = await withDeadline(
    signal,
    listMs,
    async (inTime) => (await host.failedDeliveries?.(repository, hookId, since, inTime)) ?? [],
  );
  const came = await whichCame(database, hook.id, failed);
  // Oldest first, as they happened.
  const missing = failed.filter(({ delivery }) => !came.has(delivery)).reverse();
  const asked = missing.slice(0, maxRedeliveries);
  for (const { id } of asked) {
    await withDeadline(signal, listMs, async (inTime) => {
      await host.redeliver?.(repository, hookId, id, inTime);
    });
  }
  if (asked.length === missing.length) {
    await database
      .updateTable('hook_binding')
      .set({ log_read_to: began })
      .where('id', '=', hook.id)
      .execute();
  }
  return asked.length;
}

async function whichCame(database: Database, hookId: string, failed: Delivery[]): Promise<Set<string>> {
  if (failed.length === 0) return new Set();
  const rows = await database
    .selectFrom('webhook_delivery')
    .select('delivery')
    .where('hook_binding_id', '=', hookId)
    .where(
      'delivery',
      'in',
      failed.map(({ delivery }) => delivery),
    )
    .execute();
  return new Set(rows.map(({ delivery }) => delivery));
}
