import { ProblemError } from '../http/problem-error.ts';
import { type Attempt, type Found, holdUp, renewLease } from './attempt.ts';
import { inParallel } from './in-parallel.ts';
import { partsOf, type RevocationRow } from './revocation-store.ts';

const shownParts = 5;
const shownThings = 50;
const firstWaitMs = 10_000;

/** Goes on with one revocation, to its receipt. */
export type Continue = (revocationId: string) => Promise<unknown>;

/**
 * Brings every part of a revocation to its end, a few at once. When some are held up, the others go on all the same;
 * then the whole is held up by them: throws a 503 problem that says which and why.
 */
export async function revokeParts(
  attempt: Attempt,
  step: string,
  options: { atOnce: number; signal: AbortSignal; go: Continue },
): Promise<RevocationRow[]> {
  const { context, revocation } = attempt;
  const parts = await partsOf(context.database, revocation.id);
  const open = parts.filter(({ receipt_id }) => receipt_id === null);
  const failures = await inParallel(open, options.atOnce, async ({ id }) => {
    options.signal.throwIfAborted();
    await options.go(id);
    await renewLease(attempt);
  });
  options.signal.throwIfAborted();
  const now = await partsOf(context.database, revocation.id);
  if (now.every(({ receipt_id }) => receipt_id !== null)) return now;
  throw await heldUpByParts(attempt, step, now, failures);
}

async function heldUpByParts(
  attempt: Attempt,
  step: string,
  parts: RevocationRow[],
  failures: unknown[],
): Promise<ProblemError> {
  const left = parts.filter(({ receipt_id }) => receipt_id === null);
  const told = left
    .slice(0, shownParts)
    .map(({ name, obstacle }) => `${name}: ${obstacle?.detail ?? 'it goes on.'}`);
  const more = left.length > shownParts ? ` And ${left.length - shownParts} more.` : '';
  const { kind, id } = attempt.revocation;
  const what = kind === 'team' ? 'connections' : 'projects';
  const detail = `${left.length} of ${parts.length} ${what} are not revoked yet. ${told.join(' ')}${more} Ebb goes on by itself; GET /v1/revocations?within=${id} tells of each.`;
  const found: Found = {
    ...{ step, code: codeOf(left), detail },
    remove_by_hand: left.flatMap(({ obstacle }) => obstacle?.remove_by_hand ?? []).slice(0, shownThings),
  };
  await holdUp(attempt, found, firstWaitMs);
  const seconds = failures.find((failure) => failure instanceof ProblemError)?.headers['retry-after'] ?? '10';
  return new ProblemError(503, found.code, detail, { headers: { 'retry-after': seconds } });
}

/** The gravest that is in the way of one of them. */
function codeOf(left: RevocationRow[]): string {
  const codes = left.map(({ obstacle }) => obstacle?.code);
  const graves = ['source_host_refused', 'source_host_unreachable', 'internal_error', 'builds_still_ending'];
  return graves.find((code) => codes.includes(code)) ?? 'revocation_going_on';
}
