import type { ExpressionBuilder } from 'kysely';
import type { ApiContext } from '../context.ts';
import type { Schema } from '../db/schema.ts';

// A VM ends itself 60 s after its runner's last sign of life, and the attempt of a runner that is gone is over only when
// its lease ran out; half a minute more is for the shutdown.
const endsItselfMs = 90_000;

// The oldest first, so that those that wait for longest are never left out.
const atOnce = 1_000;

/** Whether the attempt that a VM was given to is over. */
export function attemptIsOver(is: ExpressionBuilder<Schema, 'vm_use' | 'build'>) {
  return is.or([
    is('build.finished_at', 'is not', null),
    is('build.attempt', '<>', is.ref('vm_use.attempt')),
    // Lost, and not claimed again yet.
    is('build.state', '=', 'queued'),
  ]);
}

/**
 * Makes the watch over VMs whose attempt is over and that no runner told the end of: once this process has seen one for
 * so long that it must have ended itself, it counts as left. By the monotonic clock: a wall clock that is set, or a machine that
 * slept, makes no VM older. Each call looks once.
 */
export function createVmWatch(
  monotonicMs: () => number = () => performance.now(),
): (context: Pick<ApiContext, 'database' | 'now'>) => Promise<void> {
  let seenSince = new Map<string, number>();
  return async ({ database, now }) => {
    const at = monotonicMs();
    const rows = await database
      .selectFrom('vm_use')
      .innerJoin('build', 'build.id', 'vm_use.build_id')
      .select('vm_use.vm')
      .where('vm_use.gone_at', 'is', null)
      .where('vm_use.left_at', 'is', null)
      .where(attemptIsOver)
      .orderBy('vm_use.at')
      .limit(atOnce)
      .execute();
    seenSince = new Map(rows.map(({ vm }) => [vm, seenSince.get(vm) ?? at]));
    const left = [...seenSince].filter(([, since]) => at - since >= endsItselfMs).map(([vm]) => vm);
    if (left.length === 0) return;
    await database
      .updateTable('vm_use')
      .set({ left_at: now() })
      .where('vm', 'in', left)
      .where('gone_at', 'is', null)
      .execute();
  };
}
