import type { ApiContext } from '../context.ts';
import { enqueueAgain, limitProjects } from './enqueue-again.ts';

// What was accepted a moment ago may be on its way into the queue.
const settledAfterMs = 5_000;
const pageSize = 1_000;

/** Looks at the builds that came last: an enqueue that failed is made up for soon, however many wait. */
export async function sweepNewest(context: ApiContext): Promise<void> {
  await enqueueMissing(context, await waiting(context, 'desc', ''));
}

/**
 * Looks at a page of the builds that wait, in the order in which they came: those that are not in the queue are enqueued
 * again at their old place, and their projects have the concurrency that they declare. Gives where the next page begins.
 */
export async function sweepWaiting(context: ApiContext, after: string): Promise<string> {
  const page = await waiting(context, 'asc', after);
  await limitProjects(context, new Set(page.map(({ project_id }) => project_id)));
  await enqueueMissing(context, page);
  return page.length < pageSize ? '' : (page.at(-1)?.id ?? '');
}

async function waiting({ database }: ApiContext, direction: 'asc' | 'desc', after: string) {
  return await database
    .selectFrom('build')
    .select(['id', 'project_id', 'queued_at'])
    .where('finished_at', 'is', null)
    .where('state', '=', 'queued')
    .where('id', '>', after)
    .orderBy('id', direction)
    .limit(pageSize)
    .execute();
}

async function enqueueMissing(context: ApiContext, page: { id: string; queued_at: Date }[]): Promise<void> {
  const settled = new Date(context.now().getTime() - settledAfterMs);
  const ids = page.filter(({ queued_at }) => queued_at < settled).map(({ id }) => id);
  const entries = await context.queue.look(ids);
  const missing = ids.filter((_, index) => !entries[index]);
  if (missing.length === 0) return;
  // Looked at again: one that was claimed and ended meanwhile left the queue rightly.
  const builds = await context.database
    .selectFrom('build')
    .selectAll()
    .where('id', 'in', missing)
    .where('state', '=', 'queued')
    .orderBy('id')
    .execute();
  await enqueueAgain(context, builds);
}
