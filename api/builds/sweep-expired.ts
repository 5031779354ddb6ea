import type { ApiContext } from '../context.ts';
import { wasHeldLately } from './heartbeat.ts';
import { loseAttempt } from './lose-attempt.ts';
import { mayBeTakenOver } from './take-over.ts';

// For so long after its lease ran out a build whose VM may live waits for another runner. The VM ends itself 60 s after the
// last sign of life, and the lease is 15 s.
const takenOverWithinMs = 45_000;

/** Deals with leases that ran out: their builds wait for another runner, are lost, wait again, or are over. */
export async function sweepExpired(context: ApiContext): Promise<void> {
  const { queue, database, metrics } = context;
  const expired = await queue.expired();
  if (expired.length === 0) return;
  const builds = await database.selectFrom('build').selectAll().where('id', 'in', expired).execute();
  // Asked again: one that is leased anew meanwhile is under another lease, which `builds` may know already.
  const stillExpired = new Set(await queue.expired());
  const tooLongAgo = new Set(await queue.expired({ forMs: takenOverWithinMs }));
  const byId = new Map(builds.map((build) => [build.id, build]));
  for (const id of expired) {
    const build = byId.get(id);
    if (!build || build.finished_at) {
      await queue.forget(id);
      metrics?.repaired('forgotten');
    }
    // Given back while Redis was away, or claimed by a runner that died before the API heard of it.
    else if (build.state === 'queued') {
      if (await queue.requeue(id, '')) metrics?.repaired('requeued');
    }
    // Redis counts from before it was away, the database's word from later.
    else if (
      mayBeTakenOver(build)
        ? tooLongAgo.has(id) && !wasHeldLately(build, context.now())
        : stillExpired.has(id)
    )
      await loseAttempt(context, build);
  }
}
