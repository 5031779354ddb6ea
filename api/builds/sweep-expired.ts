import type { ApiContext } from '../context.ts';
import { loseAttempt } from './lose-attempt.ts';

/** Deals with leases that ran out: their builds are lost, wait again, or are over. */
export async function sweepExpired(context: ApiContext): Promise<void> {
  const { queue, database, metrics } = context;
  const expired = await queue.expired();
  if (expired.length === 0) return;
  const builds = await database.selectFrom('build').selectAll().where('id', 'in', expired).execute();
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
    } else await loseAttempt(context, build);
  }
}
