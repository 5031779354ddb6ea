import type { ApiContext } from '../context.ts';
import { leaseAgain } from './enqueue-again.ts';
import { loseAttempt } from './lose-attempt.ts';
import type { BuildRow } from './state-machine.ts';

const pageSize = 1_000;
const maxPages = 10;
// As long as a runner's own: one that lives renews it before it gives its build up.
const leaseMs = 15_000;

/**
 * Looks at the builds that run. One whose lease is gone was given up by its runner and is lost, unless Redis lost the lease:
 * then who holds it by the database gets it back. Holders of builds that somebody wants cancelled are told again. Gives
 * whether all were looked at; a fleet that runs more than ten thousand has the rest looked at when some are over.
 */
export async function sweepRunning(
  context: ApiContext,
  { redisLost }: { redisLost: boolean },
): Promise<boolean> {
  let after = '';
  for (let pages = 0; pages < maxPages; pages += 1) {
    const page = await running(context, after);
    await sweepPage(context, page, redisLost);
    if (page.length < pageSize) return true;
    after = page.at(-1)?.id ?? '';
  }
  return false;
}

async function running({ database }: ApiContext, after: string) {
  return await database
    .selectFrom('build')
    .select(['id', 'cancel_requested'])
    .where('finished_at', 'is', null)
    .where('state', 'in', ['starting', 'running'])
    .where('id', '>', after)
    .orderBy('id')
    .limit(pageSize)
    .execute();
}

async function sweepPage(
  context: ApiContext,
  page: { id: string; cancel_requested: boolean }[],
  redisLost: boolean,
): Promise<void> {
  const entries = await context.queue.look(page.map(({ id }) => id));
  const unheld = page.filter((_, index) => entries[index]?.state !== 'leased').map(({ id }) => id);
  const builds = await stillRunning(context, unheld);
  const held = builds.filter((build): build is Held => redisLost && build.lease_holder !== null);
  await leaseAgain(context, held, leaseMs);
  for (const build of builds) if (!held.some(({ id }) => id === build.id)) await loseAttempt(context, build);
  const cancelled = page.filter(({ cancel_requested }) => cancel_requested);
  await Promise.all(cancelled.map(({ id }) => context.queue.cancel(id)));
}

type Held = BuildRow & { lease_holder: string };

/** Read after the look at the queue: a build ends in the database before its lease does. */
async function stillRunning({ database }: ApiContext, ids: string[]): Promise<BuildRow[]> {
  if (ids.length === 0) return [];
  return await database
    .selectFrom('build')
    .selectAll()
    .where('id', 'in', ids)
    .where('state', 'in', ['starting', 'running'])
    .execute();
}
