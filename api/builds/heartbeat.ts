import { type LeaseVerdict, leaseMs } from '../../contract/runner.ts';
import type { ApiContext } from '../context.ts';
import { withinTime } from '../within-time.ts';
import type { BuildRow } from './state-machine.ts';

// The runner asks for a few seconds only, and Redis was silent before.
const redisMs = 1_000;
// Longer than the runner counts: clocks of processes differ, and what it says at the end of its lease may be under way.
const heldMs = leaseMs + 5_000;

/** An attempt as the token of its runner names it. */
interface HeldAttempt {
  buildId: string;
  attempt: number;
  leaseHolder: string;
  /** From where its VM can be taken over, once it is shared. */
  place?: string | undefined;
}

/**
 * Renews the lease of a runner to which Redis does not answer: at Redis, which may be away for that runner alone, or else
 * in the build's row. What Redis has forgotten counts as unanswered, because the sweeper gives the lease back.
 */
export async function heartbeat(context: ApiContext, held: HeldAttempt): Promise<LeaseVerdict['lease']> {
  const { buildId, leaseHolder, place } = held;
  const asked = context.queue.heartbeat(buildId, leaseHolder, leaseMs, place);
  const answer = await withinTime(asked, redisMs);
  return answer === undefined || answer === 'absent' ? await holdByRow(context, held) : answer;
}

/** Whether a runner has the database's word that nobody else gets the build now. */
export function isHeld({ held_until }: Pick<BuildRow, 'held_until'>, now: Date): boolean {
  return held_until !== null && held_until > now;
}

/** Whether that word was given lately: its runner may live though Redis says otherwise, and its VM may, for 60 s after a sign of life. */
export function wasHeldLately(build: Pick<BuildRow, 'held_until'>, now: Date): boolean {
  return isHeld(build, new Date(now.getTime() - 40_000));
}

async function holdByRow(
  { database, now }: ApiContext,
  { buildId, attempt, leaseHolder }: HeldAttempt,
): Promise<LeaseVerdict['lease']> {
  const held = await database
    .updateTable('build')
    .set({ held_until: new Date(now().getTime() + heldMs) })
    .where('id', '=', buildId)
    .where('attempt', '=', attempt)
    .where('lease_holder', '=', leaseHolder)
    .where('state', 'in', ['starting', 'running'])
    .returning('cancel_requested')
    .executeTakeFirst();
  if (held) return held.cancel_requested ? 'cancel' : 'held';
  const build = await database
    .selectFrom('build')
    .select(['state', 'attempt', 'lease_holder', 'cancel_requested'])
    .where('id', '=', buildId)
    .executeTakeFirst();
  if (build?.attempt !== attempt) return 'lost';
  if (build.state === 'running' && build.lease_holder !== leaseHolder) return 'taken';
  return build.cancel_requested ? 'cancel' : 'lost';
}
