import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { transact } from '../db/transact.ts';
import { endWhenUnheard } from './end-when-unheard.ts';
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
  const marked = await transact(context, async (inside) => {
    const build = await markCancelled(inside, buildId, reason);
    if (!build || keyId === undefined) return build;
    const entry = { teamId: build.team_id, action: 'build.cancelled', actor: keyId, subject: buildId };
    await recordAudit(inside, { ...entry, detail: { project: build.project_id } });
    return build;
  });
  if (marked?.state === 'cancelled') context.metrics?.buildEnded('cancelled');
  await signalCancellation(context, buildId);
}

/** Tells queue and watchers of a build that is marked as cancelled; where Redis is away the sweeper tells the queue again. */
export async function signalCancellation(context: ApiContext, buildId: string): Promise<void> {
  const { queue, log } = context;
  const signalled = await queue.cancel(buildId).catch((error) => {
    log.warn({ build: buildId, error: String(error) }, 'cancel not signalled yet');
  });
  // Not waited for: where this process ends, the sweeper sees the lease run out.
  if (signalled === 'signalled')
    endWhenUnheard(context, buildId).catch((error) =>
      log.info({ build: buildId, error: String(error) }, 'a cancelled build is left to the end of its lease'),
    );
  await queue.announce(buildId).catch(() => undefined);
}

/** The build as it is then; undefined when it is over. */
async function markCancelled(
  { database, now }: ApiContext,
  buildId: string,
  reason: string,
): Promise<BuildRow | undefined> {
  // Held, so that one that is lost meanwhile does not wait in line to be cancelled.
  await database.selectFrom('build').select('id').where('id', '=', buildId).forUpdate().execute();
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
