import { setTimeout as delay } from 'node:timers/promises';
import { leaseMs as usualLeaseMs } from '../../contract/runner.ts';
import type { HeartbeatAnswer } from '../../queue/build-queue.ts';
import { BuildEnd, LetGo, lost } from './build-end.ts';
import type { BuildReports } from './control-plane.ts';
import type { RunnerContext } from './runner-context.ts';

// In parts of a lease: how often Redis and the API are asked, and for how long Redis is silent before the API is.
const beats = 15;
const asks = 5;
const silent = 3;

/** A lease that a runner has. */
export interface Lease {
  build: string;
  holder: string;
  /** The place from where the build's VM may be taken over, once it is shared. */
  sharedAt(): string | undefined;
  /** The API, once the build is claimed there. */
  reports(): Pick<BuildReports, 'heartbeat'> | undefined;
  leaseMs?: number;
}

/**
 * Keeps the lease while the build runs. `signal` aborts when the build is cancelled or the lease is lost: Redis renews it, and
 * for as long as Redis does not, the API, which answers for Redis then. When neither does up to the end of the lease it is
 * lost, because then another runner may have it. `released` resolves once `ended` has aborted and nothing is said to the
 * queue any more.
 */
export function holdLease(
  context: Pick<RunnerContext, 'queue' | 'metrics'>,
  { build, holder, sharedAt, reports, leaseMs = usualLeaseMs }: Lease,
  ended: AbortSignal,
): { signal: AbortSignal; released: Promise<void> } {
  const stop = new AbortController();
  const cancelled = new BuildEnd({ outcome: 'cancelled', reason: 'The build was cancelled.' });
  const watching = context.queue
    .watchCancellations((id) => id === build && stop.abort(cancelled), ended)
    .catch(() => undefined);
  const pause = (milliseconds: number) =>
    delay(milliseconds, undefined, { signal: ended }).catch(() => undefined);
  // Not by the machine's clock, which may be set.
  let heldByRedis = performance.now();
  let heldUntil = heldByRedis + leaseMs;

  const lose = () => {
    stop.abort(lost('The runner lost its lease on the build.'));
    context.metrics?.leaseLost();
  };
  // By itself: an answer may be waited for at the end of the lease, and beyond.
  const watchEnd = async () => {
    while (!ended.aborted && !stop.signal.aborted) {
      const left = heldUntil - performance.now();
      if (left <= 0) lose();
      else await pause(Math.ceil(left));
    }
  };
  /** @param asked when the question began: the lease counts from then at least */
  const hear = (answer: HeartbeatAnswer | 'unanswered', asked: number) => {
    if (ended.aborted || stop.signal.aborted) return;
    if (answer === 'held') heldUntil = Math.max(heldUntil, asked + leaseMs);
    if (answer === 'cancel') stop.abort(cancelled);
    else if (answer === 'taken') stop.abort(new LetGo('Another runner took the build over.'));
    else if (answer === 'lost') lose();
  };
  // Also while an aborted build is wound up: its lease must not run out under it.
  const askRedis = async () => {
    while (!ended.aborted) {
      const asked = performance.now();
      // The place each time: Redis may have lost it, with the lease or without.
      const place = stop.signal.aborted ? undefined : sharedAt();
      const answer = await context.queue
        .heartbeat(build, holder, leaseMs, place)
        .catch(() => 'unanswered' as const);
      if (answer === 'held') heldByRedis = asked;
      hear(answer, asked);
      await pause(leaseMs / beats);
    }
  };
  const askApi = async () => {
    while (!ended.aborted && !stop.signal.aborted) {
      await pause(leaseMs / asks);
      const asked = performance.now();
      if (asked - heldByRedis < leaseMs / silent) continue;
      // An API of a release before does not know the question: then Redis alone counts.
      const answer = await reports()
        ?.heartbeat(sharedAt(), AbortSignal.any([ended, AbortSignal.timeout(leaseMs / silent)]))
        .catch(() => 'unanswered' as const);
      if (answer) hear(answer, asked);
    }
  };
  return {
    signal: stop.signal,
    released: Promise.all([askRedis(), askApi(), watchEnd(), watching]).then(() => undefined),
  };
}
