import { setTimeout as delay } from 'node:timers/promises';
import { BuildEnd, LetGo, lost } from './build-end.ts';
import type { RunnerContext } from './runner-context.ts';

export const leaseMs = 15_000;
const heartbeatMs = 1_000;

/** A lease that a runner has. */
export interface Lease {
  build: string;
  holder: string;
  /** The place from where the build's VM may be taken over, once it is shared. */
  sharedAt(): string | undefined;
}

/**
 * Keeps the lease while the build runs. `signal` aborts when the build is cancelled or the lease is lost: for as long
 * as Redis is away the build goes on, up to the end of the lease, because then another runner may have it. `released`
 * resolves once `ended` has aborted and nothing is said to the queue any more.
 */
export function holdLease(
  context: Pick<RunnerContext, 'queue' | 'metrics'>,
  { build, holder, sharedAt }: Lease,
  ended: AbortSignal,
): { signal: AbortSignal; released: Promise<void> } {
  const stop = new AbortController();
  const cancelled = new BuildEnd({ outcome: 'cancelled', reason: 'The build was cancelled.' });
  const watching = context.queue
    .watchCancellations((id) => id === build && stop.abort(cancelled), ended)
    .catch(() => undefined);

  const beat = async () => {
    // Not by the machine's clock, which may be set.
    let heldUntil = performance.now() + leaseMs;
    while (!ended.aborted && !stop.signal.aborted) {
      const asked = performance.now();
      // The place each time: Redis may have lost it, with the lease or without.
      const answer = await context.queue
        .heartbeat(build, holder, leaseMs, sharedAt())
        .catch(() => 'unanswered' as const);
      if (answer === 'held') heldUntil = asked + leaseMs;
      if (answer === 'cancel') stop.abort(cancelled);
      if (answer === 'taken') stop.abort(new LetGo('Another runner took the build over.'));
      if (answer === 'lost' || performance.now() > heldUntil) {
        stop.abort(lost('The runner lost its lease on the build.'));
        context.metrics?.leaseLost();
      }
      await delay(heartbeatMs, undefined, { signal: ended }).catch(() => undefined);
    }
    // While an aborted build is wound up its lease must not run out under it.
    while (!ended.aborted) {
      await context.queue.heartbeat(build, holder, leaseMs).catch(() => undefined);
      await delay(heartbeatMs, undefined, { signal: ended }).catch(() => undefined);
    }
    await watching;
  };
  return { signal: stop.signal, released: beat() };
}
