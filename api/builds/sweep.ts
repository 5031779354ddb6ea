import { setTimeout as delay } from 'node:timers/promises';
import { finalStates } from '../../contract/build.ts';
import type { ApiContext } from '../context.ts';
import { signMissingReceipts } from '../receipts/sign-missing-receipts.ts';
import { endAttempt } from './end-attempt.ts';
import { enqueueBuild } from './enqueue-build.ts';
import type { BuildRow } from './state-machine.ts';
import { mayBeTakenOver } from './take-over.ts';

// For so long after its lease ran out a build whose VM may live waits for another runner. The VM ends itself 60 s after the
// last sign of life, and the lease is 15 s.
const takenOverWithinMs = 45_000;
// What was accepted a moment ago may be on its way into the queue.
const settledAfterMs = 5_000;

/**
 * Makes database and queue agree: builds that wait but are not queued are enqueued, entries of builds that are over are
 * forgotten, builds whose runner let its lease run out are lost, and projects have the concurrency that they declare. Every change is conditional, so that two sweeps at once
 * do no harm.
 */
export async function sweepOnce(context: ApiContext): Promise<void> {
  const { queue, database } = context;
  const settled = new Date(context.now().getTime() - settledAfterMs);
  const expired = new Set(await queue.expired());
  const entries = new Map((await queue.list()).map((entry) => [entry.build, entry]));
  const builds = await database
    .selectFrom('build')
    .selectAll()
    .where('finished_at', 'is', null)
    .where('state', '<>', 'awaiting_approval')
    .execute();
  await limitProjects(context, new Set(builds.map((build) => build.project_id)));
  const known = new Set(builds.map((build) => build.id));

  // A row is there before its entry, so an entry without a row in this later look is one of a build that is over.
  for (const id of entries.keys()) if (!known.has(id)) await queue.forget(id);
  for (const build of builds) {
    const entry = entries.get(build.id);
    if (build.state === 'queued' && !entry && build.queued_at < settled) await enqueueBuild(context, build);
    // Given back while Redis was away: the database let go of it, its lease did not.
    if (build.state === 'queued' && expired.has(build.id)) await queue.requeue(build.id, entry?.holder ?? '');
    if (build.state !== 'queued' && (expired.has(build.id) || !entry))
      await loseAttempt(context, build, entry !== undefined);
    if (build.cancel_requested && entry?.state === 'leased') await queue.cancel(build.id);
  }
  await signMissingReceipts(context);
}

async function limitProjects({ database, queue }: ApiContext, ids: Set<string>): Promise<void> {
  if (ids.size === 0) return;
  const projects = await database
    .selectFrom('project')
    .select(['id', 'concurrency'])
    .where('id', 'in', [...ids])
    .execute();
  for (const { id, concurrency } of projects) await queue.setConcurrency(id, concurrency);
}

async function loseAttempt(context: ApiContext, build: BuildRow, hasEntry: boolean): Promise<void> {
  const waits = hasEntry && mayBeTakenOver(build);
  if (waits && !(await context.queue.expired(takenOverWithinMs)).includes(build.id)) return;
  const started = build.started_at ?? build.queued_at;
  if (context.now().getTime() - started.getTime() < settledAfterMs) return;
  const reason = 'The runner of this build is gone.';
  await endAttempt(context, build, { attempt: build.attempt, outcome: 'lost', reason });
  const after = await context.database
    .selectFrom('build')
    .select('state')
    .where('id', '=', build.id)
    .executeTakeFirst();
  if (after && finalStates.includes(after.state)) await context.queue.forget(build.id);
}

/** Sweeps now and then until the signal aborts. A sweep that fails is logged and tried again. */
export async function runSweeper(
  context: ApiContext,
  options: { intervalMs: number; signal: AbortSignal },
): Promise<void> {
  while (!options.signal.aborted) {
    await sweepOnce(context).catch((error) => context.log.warn({ error: String(error) }, 'sweep failed'));
    await delay(options.intervalMs, undefined, { signal: options.signal }).catch(() => undefined);
  }
}
