import { sql } from 'kysely';
import type { ApiContext } from '../context.ts';
import { SourceHostError } from '../source-hosts/errors.ts';
import { projectAtHost } from '../source-hosts/project-at-host.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';
import { catchUpBranches } from './catch-up-branches.ts';

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
  /** When this was done before; null the first time. */
  before: Date | null;
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

/** The time is set first: a process that dies leaves it to the next round, which looks an hour further back. */
async function claimDue({ database, now }: ApiContext): Promise<Due[]> {
  const at = now();
  return await database.transaction().execute(async (transaction) => {
    const rows = await transaction
      .selectFrom('hook_binding')
      .innerJoin('project', 'project.id', 'hook_binding.project_id')
      .select(['hook_binding.id', 'hook_binding.project_id', 'hook_binding.reconciled_at'])
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
    return rows.map(({ id, project_id, reconciled_at }) => ({
      ...{ id, projectId: project_id, before: reconciled_at },
    }));
  });
}

async function reconcile(context: ApiContext, { id, projectId, before }: Due, signal: AbortSignal) {
  const hook = await context.database
    .selectFrom('hook_binding')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst();
  if (!hook || hook.source_host_id === null) return;
  const project = await projectAtHost(context, { projectId });
  // First the log: what it brings needs no comparison, and says more than a head does.
  const asked = await redeliverFailed(context, { ...project, hook, before }, signal);
  if (asked > 0)
    context.log.info({ hook_binding: id, deliveries: asked }, 'missed deliveries were asked for');
  if (!hook.events.includes('push') || hook.branches.length === 0) return;
  const branches = await withDeadline(signal, listMs, (inTime) =>
    project.host.listBranches(project.repository, inTime),
  );
  await catchUpBranches(context, { hook, project, branches, isFirst: before === null }, signal);
}

type Missing = Awaited<ReturnType<typeof projectAtHost>> & {
  hook: { id: string; source_host_id: string | null; created_at: Date };
  before: Date | null;
};

/** Gives how many were asked for. What came in spite of a bad answer is known by its delivery id and not asked for. */
async function redeliverFailed(
  { database, now }: ApiContext,
  { host, repository, hook, before }: Missing,
  signal: AbortSignal,
): Promise<number> {
  const hookId = hook.source_host_id;
  if (!host.failedDeliveries || !host.redeliver || hookId === null) return 0;
  const last = (before ?? hook.created_at).getTime() - overlapMs;
  const since = new Date(Math.max(last, now().getTime() - longestAgoMs));
  const failed = await withDeadline(
    signal,
    listMs,
    async (inTime) => (await host.failedDeliveries?.(repository, hookId, since, inTime)) ?? [],
  );
  if (failed.length === 0) return 0;
  const known = await database
    .selectFrom('webhook_delivery')
    .select('delivery')
    .where('hook_binding_id', '=', hook.id)
    .where(
      'delivery',
      'in',
      failed.map(({ delivery }) => delivery),
    )
    .execute();
  const came = new Set(known.map(({ delivery }) => delivery));
  // Oldest first, as they happened.
  const missing = failed.filter(({ delivery }) => !came.has(delivery)).reverse();
  for (const { id } of missing.slice(0, maxRedeliveries)) {
    await withDeadline(signal, listMs, async (inTime) => {
      await host.redeliver?.(repository, hookId, id, inTime);
    });
  }
  return Math.min(missing.length, maxRedeliveries);
}
