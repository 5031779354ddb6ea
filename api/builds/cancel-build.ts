import type { ApiContext } from '../context.ts';
import { transition } from './state-machine.ts';

/**
 * Cancels a build in any state: a waiting one at once, a running one through its runner, which kills the VM. What is
 * over stays as it is.
 */
export async function cancelBuild(context: ApiContext, buildId: string, reason: string): Promise<void> {
  const { database, queue } = context;
  const waiting = await transition(database, buildId, 'cancel', 'cancelled', {
    reason,
    finished_at: context.now(),
  });
  if (!waiting) {
    await database
      .updateTable('build')
      .set({ cancel_requested: true, reason })
      .where('id', '=', buildId)
      .where('finished_at', 'is', null)
      .execute();
  }
  // Where Redis is away the sweeper signals again.
  await queue
    .cancel(buildId)
    .catch((error) => context.log.warn({ build: buildId, error: String(error) }, 'cancel not signalled yet'));
  await queue.announce(buildId).catch(() => undefined);
}
