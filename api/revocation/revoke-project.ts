import { absenceUnseen, type RevocationStep } from '../../contract/receipt.ts';
import type { ApiContext } from '../context.ts';
import { SourceHostError } from '../source-hosts/errors.ts';
import { additionsEnded } from '../source-hosts/note-addition.ts';
import { projectAtHost } from '../source-hosts/project-at-host.ts';
import { type Attempt, beginAttempt, isDone, recordStep, startStopwatch } from './attempt.ts';
import { sourceHostSteps, stillShown } from './clear-source-host.ts';
import { destroySecrets } from './destroy-secrets.ts';
import { endBuilds } from './end-builds.ts';
import { finishProject } from './finish-project.ts';
import { heldUpProject } from './project-obstacle.ts';
import { type RevocationRow, readRevocation } from './revocation-store.ts';

/** How long it waits before it leaves the rest to `resumeRevocations`. */
export interface Patience {
  /** For builds to end and their VMs to go. */
  buildsMs: number;
  /** Before the second try at the source host; doubled before the third. */
  retryMs: number;
}

export const patience: Patience = { buildsMs: 30_000, retryMs: 1_000 };

/**
 * Goes on with the revocation of a project, to its receipt:
 *
 *     claims_and_tokens_stopped → builds_cancelled → hook_removed → deploy_key_removed → absence_confirmed
 *       → secrets_destroyed → receipt signed, project revoked
 *
 * Each step is recorded when it is done and may run twice: after a crash at any line, or beside a second call, the
 * rest follows and there is one receipt. When builds or the source host hold it up, the secrets are destroyed at once
 * and out of turn, the revocation stays open, and a 503 problem says what remains.
 *
 * Throws problems: 503 `builds_still_ending`, 503 `source_host_unreachable`, 503 `source_host_refused`.
 */
export async function continueProject(
  context: ApiContext,
  revocationId: string,
  signal: AbortSignal,
  limits: Patience,
): Promise<string> {
  const attempt = await beginAttempt(context, revocationId);
  if (!attempt) return receiptOf(await readRevocation(context.database, revocationId));
  try {
    await endStep(attempt, signal, limits);
    await clearSourceHost(attempt, signal, limits);
  } catch (error) {
    const now = await readRevocation(context.database, revocationId);
    if (now.receipt_id) return now.receipt_id;
    await destroyStep(attempt);
    signal.throwIfAborted();
    throw await heldUpProject({ ...attempt, revocation: now }, error);
  }
  await destroyStep(attempt);
  return await finishProject(context, revocationId);
}

/** Destroys the secrets of a project that is being revoked and leaves the rest for later, for a reason known already. */
export async function postponeProject(
  context: ApiContext,
  revocationId: string,
  reason: SourceHostError,
): Promise<void> {
  const attempt = await beginAttempt(context, revocationId);
  if (!attempt) return;
  await destroyStep(attempt);
  throw await heldUpProject(attempt, reason);
}

export function receiptOf({ receipt_id, id }: RevocationRow): string {
  if (!receipt_id) throw new Error(`The revocation ${id} is finished and has no receipt.`);
  return receipt_id;
}

async function endStep(attempt: Attempt, signal: AbortSignal, { buildsMs }: Patience): Promise<void> {
  const { context, revocation } = attempt;
  if (isDone(revocation, 'builds_cancelled')) return;
  const { subject, started_at: since } = revocation;
  const detail = await endBuilds(context, subject, { since, waitMs: buildsMs, signal });
  await recordStep(attempt, { step: 'builds_cancelled', detail });
}

async function clearSourceHost(attempt: Attempt, signal: AbortSignal, { retryMs }: Patience): Promise<void> {
  const { context, revocation } = attempt;
  const project = await projectAtHost(context, { projectId: revocation.subject });
  await additionsEnded(context, project.id, signal);
  const { stated } = revocation;
  const at = { context, project, signal, retryMs };
  for (const { step, things, run } of sourceHostSteps) {
    if (isDone(revocation, step) || absenceUnseen.some((other) => isDone(revocation, other))) continue;
    const hosted = await things(at);
    try {
      const { detail, unseen } = await run(at, hosted);
      if (!unseen) await recordStep(attempt, { step, detail });
      else if (stated) await recordStated(attempt, step, stated, detail);
      else await recordStep(attempt, { step: inPlaceOf(step, 'absence_not_seen'), detail });
    } catch (error) {
      if (!stated || !(error instanceof SourceHostError)) throw error;
      const shown = await stillShown(hosted, signal);
      if (shown.length > 0) throw contradicted(error, shown);
      await recordStated(attempt, step, stated, `The source host: ${error.message}`);
    }
  }
}

type Step = RevocationStep['step'];

function inPlaceOf(step: Step, unseen: (typeof absenceUnseen)[number]): Step {
  return step === 'absence_confirmed' ? unseen : step;
}

async function recordStated(
  attempt: Attempt,
  step: Step,
  { by, at }: NonNullable<RevocationRow['stated']>,
  saw: string,
): Promise<void> {
  const detail = `Not seen by Ebb: ${by} stated at ${at} that it was removed by hand. ${saw}`;
  await recordStep(attempt, { step: inPlaceOf(step, 'absence_stated'), detail });
}

/** What a person states counts only for what the source host does not let Ebb see for itself. */
function contradicted(error: SourceHostError, shown: string[]): SourceHostError {
  const message = `${error.message} It was stated that hook and deploy key were removed by hand, but the source host still shows the ${[...new Set(shown)].join(' and the ')}, so the statement does not count.`;
  const { code, retryAfterSeconds } = error;
  return new SourceHostError(code, message, {
    cause: error,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}

/** May come out of turn, and then takes nothing from the time of the step that is under way. */
async function destroyStep(attempt: Attempt): Promise<void> {
  const { context, revocation } = attempt;
  const detail =
    "The project's wrapped private key, its wrapped log key, its sealed secrets and its sealed deploy key are deleted; what its build logs hold opens no more.";
  const change = (transaction: ApiContext['database']) => destroySecrets(transaction, revocation.subject);
  await recordStep(
    attempt,
    { step: 'secrets_destroyed', detail },
    { change, stopwatch: startStopwatch(context) },
  );
}
