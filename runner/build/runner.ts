import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { QueueEntry } from '../../queue/build-queue.ts';
import { mayGive } from '../vm/pool/status.ts';
import { ControlPlaneError, type Taken } from './control-plane.ts';
import { holdLease, leaseMs } from './hold-lease.ts';
import { runBuild } from './run-build.ts';
import type { RunnerContext } from './runner-context.ts';

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
      else if (mayGive(context.pool.status())) await context.queue.waitForWork(idlePollMs, stop);
      else await holdBack(context, stop);
    } catch (error) {
      context.log.warn({ error: String(error) }, 'no build could be claimed; trying again');
      await delay(idlePollMs, undefined, { signal: stop }).catch(() => undefined);
    }
  }
}

type Claimed = QueueEntry & { taken?: Taken; place?: string };

/** Waits until a VM may come up, and has builds that wait tell so. */
async function holdBack({ queue }: RunnerContext, stop: AbortSignal): Promise<void> {
  await queue.holdBack(3 * idlePollMs);
  await delay(idlePollMs, undefined, { signal: stop }).catch(() => undefined);
}

/** Builds that lost their runner come before those that wait, and need no VM that boots. */
async function claim({ queue, driver, pool }: RunnerContext, holder: string): Promise<Claimed | undefined> {
  const place = await driver.place?.();
  const taken = place === undefined ? undefined : await queue.takeOver(holder, leaseMs, place);
  if (taken && place !== undefined) return { ...taken, taken, place };
  return mayGive(pool.status()) ? await queue.claim(holder, leaseMs) : undefined;
}

/** Runs a claimed build under its lease. The lease ends here in every case but a lost one, or runs out for another runner. */
async function serve(
  context: RunnerContext,
  { build, taken, place }: Claimed,
  holder: string,
): Promise<void> {
  const { queue, controlPlane, log } = context;
  const ended = new AbortController();
  let sharedAt = taken && place;
  const lease = holdLease(context, { build, holder, sharedAt: () => sharedAt }, ended.signal);
  // A signal that has listeners lives as long as what it follows, and the runner's own go on.
  const over = new AbortController();
  const signal = AbortSignal.any([lease.signal, context.handOver, context.signal, over.signal]);
  let end: 'finish' | 'hand over' | 'run out' = taken ? 'run out' : 'finish';
  try {
    const specification = await controlPlane.claim(build, holder, signal, taken);
    end = 'finish';
    log.info({ build, attempt: specification.attempt, takenFrom: taken?.takenFrom }, 'build claimed');
    const reports = controlPlane.build(specification);
    const onShared = async (place: string) => {
      sharedAt = place;
      await queue
        .share(build, holder, place)
        .catch((error) =>
          log.warn({ build, error: String(error) }, 'no other runner can take this build over'),
        );
    };
    if (taken && place !== undefined) await onShared(place);
    if ((await runBuild(context, specification, reports, signal, { onShared })) === 'left') end = 'hand over';
    log.info({ build }, end === 'finish' ? 'build done' : 'build left to another runner');
  } catch (error) {
    const refused = error instanceof ControlPlaneError;
    // Whatever else kept it from being claimed may let another runner go on with it.
    if (refused && error.status === 409) end = 'finish';
    else if (end === 'run out' && context.handOver.aborted) end = 'hand over';
    log[refused ? 'info' : 'error']({ build, error: String(error) }, 'build not run to its end');
  } finally {
    ended.abort();
    over.abort();
    await lease.released;
    const release = {
      finish: () => queue.finish(build, holder),
      'run out': async () => {},
      'hand over': () => queue.handOver(build, holder, sharedAt),
    };
    await release[end]().catch(() => undefined);
  }
}
