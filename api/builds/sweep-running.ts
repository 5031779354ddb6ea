import { leaseMs } from '../../contract/runner.ts';
import type { ApiContext } from '../context.ts';
import { leaseAgain } from './enqueue-again.ts';
import { isHeld } from './heartbeat.ts';
import { loseAttempt } from './lose-attempt.ts';
import type { BuildRow } from './state-machine.ts';

const pageSize = 1_000;
const maxPages = 10;

type Running = Pick<BuildRow, 'id' | 'attempt' | 'lease_holder' | 'cancel_requested'>;

/**
 * Looks at the builds that run. One whose lease is gone was given up by its runner and is lost, unless Redis lost the lease, or
 * was away, and the database gave its word for it: then who holds it by the database gets it back, also from the holder before.
 * Holders of builds that somebody wants cancelled are told again. Gives whether all were looked at; a fleet that runs more than
 * ten thousand has the rest looked at when some are over.
 *
 * @param redisLost asks whether Redis may have lost leases by now
 */
export async function sweepRunning(
  context: ApiContext,
  { redisLost }: { redisLost: () => Promise<boolean> },
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

async function running({ database }: ApiContext, after: string): Promise<Running[]> {
  return await database
    .selectFrom('build')
    .select(['id', 'attempt', 'lease_holder', 'cancel_requested'])
    .where('finished_at', 'is', null)
    .where('state', 'in', ['starting', 'running'])
    .where('id', '>', after)
    .orderBy('id')
    .limit(pageSize)
    .execute();
}

async function sweepPage(
  context: ApiContext,
  page: Running[],
  redisLost: () => Promise<boolean>,
): Promise<void> {
  const entries = await context.queue.look(page.map(({ id }) => id));
  const holders = new Map(page.map(({ id }, index) => [id, entries[index]?.holder]));
  const toDealWith = page.filter(({ id, lease_holder }) => holders.get(id) !== lease_holder);
  if (toDealWith.length > 0) await dealWithUnheld(context, toDealWith, holders, await redisLost());
  const cancelled = page.filter(({ cancel_requested }) => cancel_requested);
  await Promise.all(cancelled.map(({ id }) => context.queue.cancel(id)));
}

type Held = BuildRow & { lease_holder: string };

/** With `holders` by what the queue says: nobody, or another one than the database does. */
async function dealWithUnheld(
  context: ApiContext,
  unheld: Running[],
  holders: Map<string, string | undefined>,
  redisLost: boolean,
): Promise<void> {
  const builds = await stillTheSame(context, unheld);
  const now = context.now();
  const held = builds.filter(
    (build): build is Held => (redisLost || isHeld(build, now)) && build.lease_holder !== null,
  );
  const back = held.map((build) => ({ ...build, earlier: holders.get(build.id) }));
  await leaseAgain(context, back, leaseMs);
  const others = builds.filter(({ id }) => !held.some((build) => build.id === id));
  // What another one holds is taken over just now, before the database hears of it.
  for (const build of others) if (holders.get(build.id) === undefined) await loseAttempt(context, build);
}

/**
 * Those that are under the lease still that they were under before the look at the queue. A runner leases a build before
 * the database knows of that, and each lease has a name of its own: the queue was asked about this very one.
 */
async function stillTheSame({ database }: ApiContext, looked: Running[]): Promise<BuildRow[]> {
  const builds = await database
    .selectFrom('build')
    .selectAll()
    .where(
      'id',
      'in',
      looked.map(({ id }) => id),
    )
    .where('state', 'in', ['starting', 'running'])
    .execute();
  const before = new Map(looked.map((build) => [build.id, build]));
  return builds.filter(({ id, attempt, lease_holder }) => {
    const seen = before.get(id);
    return seen?.attempt === attempt && seen.lease_holder === lease_holder;
  });
}
