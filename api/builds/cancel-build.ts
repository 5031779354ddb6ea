import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { transact } from '../db/transact.ts';
import { type BuildRow, transition } from './state-machine.ts';

/**
 * Cancels a build in any state: a waiting one at once, a running one through its runner, which kills the VM. What is
 * over stays as it is. With `keyId` it is somebody's request, and audited.
 */
export async function cancelBuild(
  context: ApiContext,
  buildId: string,
  reason: string,
  keyId?: string,
): Promise<void> {
  const { queue } = context;
  const marked = await transact(context, async (inside) => {
    const build = await markCancelled(inside, buildId, reason);
    if (!build || keyId === undefined) return build;
    const entry = { teamId: build.team_id, action: 'build.cancelled', actor: keyId, subject: buildId };
    await recordAudit(inside, { ...entry, detail: { project: build.project_id } });
    return build;
  });
  if (marked?.state === 'cancelled') context.metrics?.buildEnded('cancelled');
  // Where Redis is away the sweeper signals again.
  await queue
    .cancel(buildId)
    .catch((error) => context.log.warn({ build: buildId, error: String(error) }, 'cancel not signalled yet'));
  await queue.announce(buildId).catch(() => undefined);
}

/** The build as it is then; undefined when it is over. */
async function markCancelled(
  { database, now }: ApiContext,
  buildId: string,
  reason: string,
): Promise<BuildRow | undefined> {
  const over = { reason, finished_at: now() };
  const waiting = await transition(database, buildId, 'cancel', 'cancelled', over);
  if (waiting) return waiting;
  return await database
    .updateTable('build')
    .set({ cancel_requested: true, reason })
    .where('id', '=', buildId)
    .where('finished_at', 'is', null)
    .returningAll()
    .executeTakeFirst();
}
