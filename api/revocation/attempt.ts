import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { RevocationStep } from '../../contract/receipt.ts';
import type { Obstacle } from '../../contract/revocation.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { type Database, json } from '../db/database.ts';
import { ProblemError } from '../http/problem-error.ts';
import { lockRevocation, type RevocationRow } from './revocation-store.ts';

// While somebody is at work nobody else takes it up; each step that is done renews this.
const leaseMs = 120_000;
const longestWaitMs = 3_600_000;
const faultWaitMs = 60_000;

/** One try to bring a revocation to its end. */
export interface Attempt {
  context: ApiContext;
  /** As it was when the attempt began. */
  revocation: RevocationRow;
  id: string;
  /** Its number. */
  number: number;
  /** When the step that is under way began, by the monotonic clock of this process. */
  stepFrom: number;
}

/** Takes up a revocation; undefined when it is finished. */
export async function beginAttempt(context: ApiContext, revocationId: string): Promise<Attempt | undefined> {
  const id = randomUUID();
  const at = context.now();
  const stepFrom = performance.now();
  const first = json({ began_at: at.toISOString(), by: id });
  const revocation = await context.database
    .updateTable('revocation')
    .set({
      attempts: sql<number>`attempts + 1`,
      next_try_at: new Date(at.getTime() + leaseMs),
      // What an earlier attempt began goes on.
      under_way: sql`case when attempts = 0 then ${first} else under_way end`,
    })
    .where('id', '=', revocationId)
    .where('finished_at', 'is', null)
    .returningAll()
    .executeTakeFirst();
  return revocation && { context, revocation, id, number: revocation.attempts, stepFrom };
}

/** Tells other processes that this attempt is still at work. */
export async function renewLease({ context, revocation }: Attempt): Promise<void> {
  await context.database
    .updateTable('revocation')
    .set({ next_try_at: new Date(context.now().getTime() + leaseMs) })
    .where('id', '=', revocation.id)
    .execute();
}

export function isDone({ steps }: Pick<RevocationRow, 'steps'>, wanted: RevocationStep['step']): boolean {
  return steps.some(({ step }) => step === wanted);
}

/** Started before something is done that is no part of the row of steps. */
export interface Stopwatch {
  beganAt: Date;
  from: number;
}

export function startStopwatch({ now }: Pick<ApiContext, 'now'>): Stopwatch {
  return { beganAt: now(), from: performance.now() };
}

/**
 * Records that a step is done, with `change` in the same transaction. The first record of a step counts; times never
 * go back, also when two servers' clocks differ. The next step begins when this one ends, unless it came out of turn:
 * then `stopwatch` measured it.
 */
export async function recordStep(
  attempt: Attempt,
  done: Pick<RevocationStep, 'step' | 'detail'>,
  more: { change?: (transaction: Database) => Promise<unknown>; stopwatch?: Stopwatch } = {},
): Promise<void> {
  const { context, revocation } = attempt;
  const { stopwatch } = more;
  let ended = performance.now();
  await context.database.transaction().execute(async (transaction) => {
    const row = await lockRevocation(transaction, revocation.id);
    await more.change?.(transaction);
    if (isDone(row, done.step)) return;
    ended = performance.now();
    const at = new Date(Math.max(context.now().getTime(), ...row.steps.map((step) => Date.parse(step.at))));
    const times = stopwatch ? measured(stopwatch, at, ended) : timesOf(attempt, row, at, ended);
    const step: RevocationStep = { ...done, at: at.toISOString(), ...times };
    await transaction
      .updateTable('revocation')
      .set({
        steps: json([...row.steps, step]),
        next_try_at: new Date(at.getTime() + leaseMs),
        ...(stopwatch
          ? {}
          : { under_way: json({ began_at: step.at, by: attempt.id }), obstacle: sql<null>`null` }),
      })
      .where('id', '=', row.id)
      .execute();
    await recordAudit({ ...context, database: transaction }, auditOf(row, 'step_finished', { ...step }));
  });
  if (!stopwatch) attempt.stepFrom = ended;
}

type Times = Pick<RevocationStep, 'began_at' | 'took_ms' | 'measured_by'>;

function measured({ beganAt, from }: Stopwatch, at: Date, ended: number): Times {
  const began_at = new Date(Math.min(beganAt.getTime(), at.getTime())).toISOString();
  return { began_at, took_ms: Math.round(ended - from), measured_by: 'monotonic_clock' };
}

/** By this process's clock when it began the step itself, else from when another one began it. */
function timesOf(attempt: Attempt, { under_way }: RevocationRow, at: Date, ended: number): Times {
  const began = new Date(Math.min(Date.parse(under_way?.began_at ?? at.toISOString()), at.getTime()));
  if (under_way?.by === attempt.id) return measured({ beganAt: began, from: attempt.stepFrom }, at, ended);
  const took_ms = at.getTime() - began.getTime();
  return { began_at: began.toISOString(), took_ms, measured_by: 'recorded_times' };
}

/** An attempt that does not go on. */
export type Held = Pick<Attempt, 'context' | 'revocation' | 'number'>;
export type Found = Omit<Obstacle, 'since' | 'attempt'>;

/** Notes that something broke inside Ebb; without this an error that lasts is retried and nobody hears of it. */
export async function holdUpByFault(held: Held): Promise<void> {
  const detail = 'Something broke inside Ebb. It is tried again; if it stays, ask whoever operates Ebb.';
  await holdUp(held, { step: 'unknown', code: 'internal_error', detail, remove_by_hand: [] }, faultWaitMs);
}

/** Does the work of an attempt; problems have been noted by who threw them, any other error is noted here. */
export async function orHeldUp<T>(held: Held, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ProblemError || signal.aborted)) await holdUpByFault(held);
    throw error;
  }
}

/**
 * Notes what holds a revocation up, and when Ebb tries again: after `waitMs` at first, then after as long as it has
 * waited already, at most an hour. Gives the row.
 */
export async function holdUp(
  { context, revocation, number }: Held,
  found: Found,
  waitMs: number,
): Promise<RevocationRow> {
  return await context.database.transaction().execute(async (transaction) => {
    const row = await lockRevocation(transaction, revocation.id);
    if (row.finished_at) return row;
    const now = context.now().getTime();
    const same = row.obstacle?.step === found.step && row.obstacle.code === found.code;
    const since = same && row.obstacle ? row.obstacle.since : new Date(now).toISOString();
    const wait = Math.max(waitMs, Math.min(now - Date.parse(since), longestWaitMs));
    const changed = await transaction
      .updateTable('revocation')
      .set({ obstacle: json({ ...found, since, attempt: number }), next_try_at: new Date(now + wait) })
      .where('id', '=', row.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    if (!same) {
      const { step, code, detail } = found;
      const blocked = auditOf(row, 'step_blocked', { step, code, detail });
      await recordAudit({ ...context, database: transaction }, blocked);
    }
    return changed;
  });
}

/** An audit entry about a revocation. */
export function auditOf(
  row: Pick<RevocationRow, 'id' | 'kind' | 'subject' | 'team_id' | 'requested_by'>,
  what: 'requested' | 'step_finished' | 'step_blocked' | 'finished',
  detail: Record<string, unknown>,
) {
  return {
    teamId: row.team_id,
    action: `revocation.${what}`,
    actor: what === 'requested' ? row.requested_by : 'ebb',
    subject: row.subject,
    detail: { revocation: row.id, kind: row.kind, ...detail },
  };
}
