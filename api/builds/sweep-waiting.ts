import type { ApiContext } from '../context.ts';
import { signalCancellation } from './cancel-build.ts';
import { enqueueAgain, limitProjects } from './enqueue-again.ts';
import { type BuildRow, transition } from './state-machine.ts';

// What was accepted a moment ago may be on its way into the queue.
const settledAfterMs = 5_000;
const pageSize = 1_000;

/** Looks at the builds that came last: an enqueue that failed is made up for soon, however many wait. */
export async function sweepNewest(context: ApiContext): Promise<void> {
  await dealWith(context, await waiting(context, 'desc', ''));
}

/**
 * Looks at a page of the builds that wait, in the order in which they came: those that are not in the queue are enqueued
 * again at their old place, or are over when they were to be cancelled, and their projects have the concurrency that they
 * declare. Gives where the next page begins.
 */
export async function sweepWaiting(context: ApiContext, after: string): Promise<string> {
  const page = await waiting(context, 'asc', after);
  await limitProjects(context, new Set(page.map(({ project_id }) => project_id)));
  await dealWith(context, page);
  return page.length < pageSize ? '' : (page.at(-1)?.id ?? '');
}

type Waiting = Pick<BuildRow, 'id' | 'project_id' | 'queued_at' | 'cancel_requested'>;

async function waiting(
  { database }: ApiContext,
  direction: 'asc' | 'desc',
  after: string,
): Promise<Waiting[]> {
  return await database
    .selectFrom('build')
    .select(['id', 'project_id', 'queued_at', 'cancel_requested'])
    .where('finished_at', 'is', null)
    .where('state', '=', 'queued')
    .where('id', '>', after)
    .orderBy('id', direction)
    .limit(pageSize)
    .execute();
}

async function dealWith(context: ApiContext, page: Waiting[]): Promise<void> {
  for (const { id } of page.filter(({ cancel_requested }) => cancel_requested)) await cancel(context, id);
  await enqueueMissing(
    context,
    page.filter(({ cancel_requested }) => !cancel_requested),
  );
}

/** Who wanted a build cancelled that ran then, and was given back, said why. */
async function cancel(context: ApiContext, id: string): Promise<void> {
  const over = { finished_at: context.now() };
  if (!(await transition(context.database, id, 'cancel', 'cancelled', over))) return;
  context.metrics?.buildEnded('cancelled');
  await signalCancellation(context, id);
}

async function enqueueMissing(context: ApiContext, page: Waiting[]): Promise<void> {
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
