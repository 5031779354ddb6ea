import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { QueueEntry } from '../../queue/build-queue.ts';
import { BuildEnd, LetGo, lost } from './build-end.ts';
import { ControlPlaneError } from './control-plane.ts';
import { runBuild } from './run-build.ts';
import type { RunnerContext } from './runner-context.ts';

const leaseMs = 15_000;
const heartbeatMs = 1_000;
const idlePollMs = 2_000;

/** Claims and runs builds until `stop` aborts, then finishes what is under way. Rejects never. */
export async function runRunner(context: RunnerContext, stop: AbortSignal): Promise<void> {
  await Promise.all(Array.from({ length: context.slots }, () => serveSlot(context, stop)));
}

async function serveSlot(context: RunnerContext, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    try {
      // A name for this lease alone: another slot may have the build's next attempt while this one still winds up.
      const holder = `${context.name}/${randomUUID()}`;
      const entry = await claim(context, holder);
      if (entry) await serve(context, entry, holder);
      else await context.queue.waitForWork(idlePollMs, stop);
    } catch (error) {
      context.log.warn({ error: String(error) }, 'no build could be claimed; trying again');
      await delay(idlePollMs, undefined, { signal: stop }).catch(() => undefined);
    }
  }
}

type Claimed = QueueEntry & { takenFrom?: string[]; place?: string };

/** Builds that lost their runner come before those that wait. */
async function claim({ queue, driver }: RunnerContext, holder: string): Promise<Claimed | undefined> {
  const place = await driver.place?.();
  const taken = place === undefined ? undefined : await queue.takeOver(holder, leaseMs, place);
  if (taken && place !== undefined) return { ...taken, place };
  return await queue.claim(holder, leaseMs);
}

/** Runs a claimed build under its lease. The lease ends here in every case but a lost one, or runs out for another runner. */
async function serve(
  context: RunnerContext,
  { build, takenFrom, place }: Claimed,
  holder: string,
): Promise<void> {
  const { queue, controlPlane, log } = context;
  const ended = new AbortController();
  const lease = holdLease(context, build, holder, ended.signal);
  // A signal that has listeners lives as long as what it follows, and the runner's own go on.
  const over = new AbortController();
  const signal = AbortSignal.any([lease.signal, context.handOver, context.signal, over.signal]);
  let left = false;
  try {
    const specification = await controlPlane.claim(build, holder, signal, takenFrom);
    log.info({ build, attempt: specification.attempt, takenFrom }, 'build claimed');
    const reports = controlPlane.build(specification);
    const onShared = async (place: string) => {
      await queue
        .share(build, holder, place)
        .catch((error) =>
          log.warn({ build, error: String(error) }, 'no other runner can take this build over'),
        );
    };
    if (takenFrom && place !== undefined) await onShared(place);
    left = (await runBuild(context, specification, reports, signal, { onShared })) === 'left';
    log.info({ build }, left ? 'build left to another runner' : 'build done');
  } catch (error) {
    const refused = error instanceof ControlPlaneError;
    log[refused ? 'info' : 'error']({ build, error: String(error) }, 'build not run to its end');
  } finally {
    ended.abort();
    over.abort();
    await lease.released;
    await (left ? queue.handOver(build, holder) : queue.finish(build, holder)).catch(() => undefined);
  }
}

/**
 * Keeps the lease while the build runs. `signal` aborts when the build is cancelled or the lease is lost: for as long
 * as Redis is away the build goes on, up to the end of the lease, because then another runner may have it.
 */
function holdLease(context: RunnerContext, build: string, holder: string, ended: AbortSignal) {
  const stop = new AbortController();
  const cancelled = new BuildEnd({ outcome: 'cancelled', reason: 'The build was cancelled.' });
  const watching = context.queue
    .watchCancellations((id) => id === build && stop.abort(cancelled), ended)
    .catch(() => undefined);

  const beat = async () => {
    let heldUntil = Date.now() + leaseMs;
    while (!ended.aborted && !stop.signal.aborted) {
      const asked = Date.now();
      const answer = await context.queue.heartbeat(build, holder, leaseMs).catch(() => 'unanswered' as const);
      if (answer === 'held') heldUntil = asked + leaseMs;
      // `absent`: Redis forgot the lease, and the sweeper gives it back.
      if (answer === 'cancel') stop.abort(cancelled);
      if (answer === 'taken') stop.abort(new LetGo('Another runner took the build over.'));
      if (answer === 'lost' || Date.now() > heldUntil) {
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
