import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { leaseMs } from '../../contract/runner.ts';
import type { BesideClaim, Claimed } from '../../queue/build-queue.ts';
import { type BuildReports, ControlPlaneError } from './control-plane.ts';
import { holdLease } from './hold-lease.ts';
import { createWayTo } from './on-the-way.ts';
import { runBuild } from './run-build.ts';
import type { RunnerContext } from './runner-context.ts';

const idlePollMs = 2_000;
/** What the API says to a runner whose credential it does not take. */
const barredStatuses = new Set([401, 403]);

/** Claims and runs builds until `stop` aborts, then finishes what is under way. Rejects never. */
export async function runRunner(context: RunnerContext, stop: AbortSignal): Promise<void> {
  const way = createWayTo(context.pool);
  await Promise.all(Array.from({ length: context.slots }, () => serveSlot(context, way, stop)));
}

async function serveSlot(
  context: RunnerContext,
  way: ReturnType<typeof createWayTo>,
  stop: AbortSignal,
): Promise<void> {
  const { queue, log } = context;
  // The queue hears of the end of a build with the claim of the next.
  let finished: BesideClaim['finished'];
  while (!stop.aborted) {
    try {
      const { claimed, takeOverOnly, ended } = await serveNext(context, way, finished);
      finished = ended;
      if (!claimed && takeOverOnly) await holdBack(context, stop);
      else if (!claimed) await queue.waitForWork(idlePollMs, stop);
    } catch (error) {
      log.warn({ error: String(error) }, 'no build could be claimed; trying again');
      await delay(idlePollMs, undefined, { signal: stop }).catch(() => undefined);
    }
  }
  if (finished) await queue.finish(finished.build, finished.holder).catch(() => undefined);
}

/** Claims a build, with which the lease of the one before ends, and serves it; `ended` is the lease that is to end with the next. */
async function serveNext(
  context: RunnerContext,
  way: ReturnType<typeof createWayTo>,
  finished: BesideClaim['finished'],
): Promise<{ claimed: boolean; takeOverOnly: boolean; ended?: BesideClaim['finished'] }> {
  const { queue, driver } = context;
  // A name for this lease alone: another slot may have the build's next attempt while this one still winds up.
  const holder = `${context.name}/${randomUUID()}`;
  const place = await driver.place?.();
  // To go on with a build takes no VM that boots.
  const onTheWay = way.begin();
  const takeOverOnly = onTheWay === undefined;
  try {
    const claimed = await queue.claim(holder, leaseMs, { place, takeOverOnly, finished });
    if (!claimed) return { claimed: false, takeOverOnly };
    if (claimed.takenFrom) onTheWay?.arrived();
    const pool = onTheWay?.pool ?? context.pool;
    const ended = await serve({ ...context, pool }, { ...claimed, place }, holder);
    return { claimed: true, takeOverOnly, ended };
  } finally {
    onTheWay?.arrived();
  }
}

/** Waits until a VM may come up, and has builds that wait tell so. */
async function holdBack({ queue }: RunnerContext, stop: AbortSignal): Promise<void> {
  await queue.holdBack(3 * idlePollMs);
  await delay(idlePollMs, undefined, { signal: stop }).catch(() => undefined);
}

/**
 * Runs a claimed build under its lease. Gives the lease if it is to end now; else it is lost, or runs out for another
 * runner. Throws ControlPlaneError when the API does not take this runner's credential; a build that waited waits again.
 */
async function serve(
  context: RunnerContext,
  { build, takenFrom, handedOver = false, place }: Claimed & { place: string | undefined },
  holder: string,
): Promise<BesideClaim['finished']> {
  const { queue, controlPlane, log } = context;
  const taken = takenFrom && { takenFrom, handedOver };
  const ended = new AbortController();
  let sharedAt = taken && place;
  let reports: BuildReports | undefined;
  const lease = holdLease(
    context,
    { build, holder, sharedAt: () => sharedAt, reports: () => reports },
    ended.signal,
  );
  // A signal that has listeners lives as long as what it follows, and the runner's own go on.
  const over = new AbortController();
  const signal = AbortSignal.any([lease.signal, context.handOver, context.signal, over.signal]);
  let end: 'finish' | 'hand over' | 'run out' | 'put back' = taken ? 'run out' : 'finish';
  try {
    const specification = await controlPlane.claim(build, holder, signal, taken);
    end = 'finish';
    log.info({ build, attempt: specification.attempt, takenFrom: taken?.takenFrom }, 'build claimed');
    reports = controlPlane.build(specification);
    const onShared = async (place: string) => {
      sharedAt = place;
      await queue
        .share(build, holder, place)
        .catch((error) =>
          log.warn({ build, error: String(error) }, 'no other runner can take this build over'),
        );
    };
    if (taken && place !== undefined) await onShared(place);
    const left = await runBuild(context, specification, reports, signal, { onShared });
    // By then the API has had it wait again, or cannot reach Redis: then the sweeper does it when the lease has run out.
    if (left === 'lost') end = 'run out';
    if (left === 'left') end = 'hand over';
    log.info({ build }, end === 'hand over' ? 'build left to another runner' : 'build done');
  } catch (error) {
    const refused = error instanceof ControlPlaneError;
    // It is this runner that may not, not the build: another can have it, and this one waits before it claims again.
    if (refused && !reports && barredStatuses.has(error.status)) {
      if (!taken) end = 'put back';
      throw error;
    }
    // Whatever else kept it from being claimed may let another runner go on with it.
    if (refused && error.status === 409) end = 'finish';
    else if (end === 'run out' && context.handOver.aborted) end = 'hand over';
    log[refused ? 'info' : 'error']({ build, error: String(error) }, 'build not run to its end');
  } finally {
    ended.abort();
    over.abort();
    await lease.released;
    if (end === 'put back') await queue.requeue(build, holder).catch(() => undefined);
    if (end === 'hand over') await queue.handOver(build, holder, sharedAt).catch(() => undefined);
  }
  return end === 'finish' ? { build, holder } : undefined;
}
