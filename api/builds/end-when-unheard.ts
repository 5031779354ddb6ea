import { setTimeout as delay } from 'node:timers/promises';
import type { ApiContext } from '../context.ts';
import { endAttempt } from './end-attempt.ts';

// A runner renews its lease every second. One that does so through the API, while Redis is away for it, takes longer, is not waited for
// either, and hears of the end seconds later.
const heardWithinMs = 1_800;

/**
 * Ends a build that is to be cancelled when its runner does not renew the lease meanwhile: it is gone, and nobody waits
 * until the lease has run out. A runner that lives all the same is asked to stop at its next heartbeat. A deployment is left
 * to the end of the lease, because who reads `cancelled` must not find it going on.
 */
export async function endWhenUnheard(context: ApiContext, buildId: string): Promise<void> {
  const { database, queue, stopping } = context;
  const leased = await queue.leaseUntil(buildId);
  await delay(heardWithinMs, undefined, { signal: stopping, ref: false });
  if (leased === undefined || (await queue.leaseUntil(buildId)) !== leased) return;
  const build = await database
    .selectFrom('build')
    .selectAll()
    .where('id', '=', buildId)
    .where('state', 'in', ['starting', 'running'])
    .where('cancel_requested', '=', true)
    .where('deploy_started', '=', false)
    .executeTakeFirst();
  if (!build) return;
  const { attempt } = build;
  const reason = 'The build was cancelled; its runner is gone.';
  if (await endAttempt(context, build, { attempt, outcome: 'cancelled', reason }))
    await queue.forget(buildId);
}
