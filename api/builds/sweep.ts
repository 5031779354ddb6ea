import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { BuildQueue } from '../../queue/build-queue.ts';
import type { ApiContext } from '../context.ts';
import { forgetOldKeys } from '../http/idempotency.ts';
import { signMissingReceipts } from '../receipts/sign-missing-receipts.ts';
import { applyFleetShare, applyTeamShares, type SharesTold } from '../shares/apply-shares.ts';
import { loseBuildsWithoutVm } from './lose-builds-without-vm.ts';
import { sweepEntries } from './sweep-entries.ts';
import { sweepExpired } from './sweep-expired.ts';
import { sweepRunning } from './sweep-running.ts';
import { sweepNewest, sweepWaiting } from './sweep-waiting.ts';

// Longer than a round takes, and short enough that another process goes on soon for one that was killed.
const leadMs = 15_000;
const hurryMs = 50;

/** How far a process is in its walk through everything; a round does one page of it. */
export interface Walk {
  name: string;
  /** The last build that was looked at; '' at the beginning. */
  waitingAfter: string;
  entriesCursor: string | undefined;
  sharesTold: SharesTold;
}

/**
 * One round of making database, queue and VMs agree. What can go wrong at any time is looked at in each: leases that ran out,
 * builds that run, the newest that wait. The rest is walked through a page a round, so that a round costs the same however
 * many wait. Every change is conditional on what it found, so that two rounds at once do no harm.
 *
 * Gives whether the next should follow at once: Redis lost something, and not all of it is put back yet.
 */
export async function sweepOnce(context: ApiContext, walk: Walk = newWalk()): Promise<boolean> {
  const loss = watchForLoss(context.queue, walk);
  await loss.lookAgain();
  await applyTeamShares(context, walk.sharesTold);
  const allRunning = await sweepRunning(context, { redisLost: loss.lookAgain });
  await sweepExpired(context);
  // No build is enqueued before the shares are told again.
  if (loss.inTheMiddle) return true;
  // Until a Redis that lost everything hears this it gives no build: by now it knows all that are running and all shares.
  await applyFleetShare(context, walk.sharesTold);
  const { redisLost } = loss;
  // Otherwise the walk puts all back, in the order in which they came.
  if (!redisLost) await sweepNewest(context);
  walk.waitingAfter = await sweepWaiting(context, walk.waitingAfter);
  walk.entriesCursor = await sweepEntries(context, walk.entriesCursor);
  await loseBuildsWithoutVm(context);
  await signMissingReceipts(context);
  await forgetOldKeys(context);
  if (!redisLost) return false;
  const throughAll = walk.waitingAfter === '' && allRunning;
  return !throughAll || (await context.queue.walk(walk.name, true)) !== 'done';
}

/** Asks, as often as in a round it matters, whether Redis lost something; then the walk begins anew. */
function watchForLoss(queue: Pick<BuildQueue, 'walk'>, walk: Walk) {
  let looks = 0;
  const loss = {
    redisLost: false,
    /** Whether that was found out when the round had looked at something. */
    inTheMiddle: false,
    async lookAgain(): Promise<boolean> {
      const progress = await queue.walk(walk.name, false);
      if (progress === 'begun') {
        walk.waitingAfter = '';
        walk.sharesTold.clear();
        loss.inTheMiddle ||= looks > 0;
      }
      looks += 1;
      loss.redisLost ||= progress !== 'done';
      return loss.redisLost;
    },
  };
  return loss;
}

export function newWalk(name: string = randomUUID()): Walk {
  return { name, waitingAfter: '', entriesCursor: undefined, sharesTold: new Map() };
}

/**
 * Sweeps now and then until the signal aborts, where no other process of the API does: whoever sweeps says so in Redis, for
 * longer than a round takes. A round that fails is logged and tried again.
 */
export async function runSweeper(
  context: ApiContext,
  options: { intervalMs: number; signal: AbortSignal },
): Promise<void> {
  const walk = newWalk();
  while (!options.signal.aborted) {
    const round = async () =>
      (await context.queue.lead(walk.name, options.intervalMs + leadMs)) && (await sweepOnce(context, walk));
    const hurry = await round().catch((error) => {
      context.log.warn({ error: String(error) }, 'sweep failed');
      return false;
    });
    const pauseMs = hurry ? hurryMs : options.intervalMs;
    await delay(pauseMs, undefined, { signal: options.signal }).catch(() => undefined);
  }
  // The next process need not wait until this one counts as gone.
  await context.queue.lead(walk.name, 1).catch(() => undefined);
}
