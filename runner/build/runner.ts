import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { BuildEnd, lost } from './build-end.ts';
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
      const entry = await context.queue.claim(holder, leaseMs);
      if (entry) await serve(context, entry.build, holder);
      else await context.queue.waitForWork(idlePollMs, stop);
    } catch (error) {
      context.log.warn({ error: String(error) }, 'no build could be claimed; trying again');
      await delay(idlePollMs, undefined, { signal: stop }).catch(() => undefined);
    }
  }
}

/** Runs a claimed build under its lease. The lease ends here in every case but a lost one. */
async function serve(context: RunnerContext, build: string, holder: string): Promise<void> {
  const ended = new AbortController();
  const lease = holdLease(context, build, holder, ended.signal);
  const signal = AbortSignal.any([lease.signal, context.signal]);
  try {
    const specification = await context.controlPlane.claim(build, holder, signal);
    context.log.info({ build, attempt: specification.attempt }, 'build claimed');
    await runBuild(context, specification, context.controlPlane.build(specification), signal);
    context.log.info({ build }, 'build done');
  } catch (error) {
    const refused = error instanceof ControlPlaneError;
    context.log[refused ? 'info' : 'error']({ build, error: String(error) }, 'build not run to its end');
  } finally {
    ended.abort();
    await lease.released;
    await context.queue.finish(build, holder).catch(() => undefined);
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
