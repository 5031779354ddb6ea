import type { RevocationStep } from '../../contract/receipt.ts';
import type { ApiContext } from '../context.ts';
import { notFound, ProblemError } from '../http/problem-error.ts';
import { SourceHostError } from '../source-hosts/errors.ts';
import { projectAtHost } from '../source-hosts/project-at-host.ts';
import { sourceHostSteps } from './clear-source-host.ts';
import { destroySecrets } from './destroy-secrets.ts';
import { endBuilds } from './end-builds.ts';
import { finishRevocation } from './finish-revocation.ts';
import { openRevocation, type RevocationRow, readRevocation, recordStep } from './revocation-store.ts';

/** How long it waits before it leaves the rest to `resumeRevocations`. */
export interface Patience {
  /** For builds to end and their VMs to go. */
  buildsMs: number;
  /** Before the second try at the source host; doubled before the third. */
  retryMs: number;
}

const patience: Patience = { buildsMs: 30_000, retryMs: 1_000 };

/**
 * Revokes everything that Ebb holds for a project, in this order:
 *
 *     claims_and_tokens_stopped → builds_cancelled → hook_removed → deploy_key_removed → absence_confirmed
 *       → secrets_destroyed → receipt signed, project revoked
 *
 * Each step is recorded when it is done and may run twice: after a crash at any line, or beside a second call, the
 * rest follows and there is one receipt. When builds or the source host hold it up, the secrets are destroyed at once
 * and out of turn, the revocation stays open, and a 503 problem says what remains.
 *
 * Throws problems: 404, 503 `builds_still_ending`, 503 `source_host_unreachable`, 503 `source_host_refused`.
 */
export async function revokeProject(
  context: ApiContext,
  projectId: string,
  signal: AbortSignal,
  limits: Patience = patience,
): Promise<{ receiptId: string }> {
  const revocation = await openRevocation(context, projectId);
  if (!revocation) throw notFound('project', projectId);
  if (revocation.receipt_id) return { receiptId: revocation.receipt_id };
  try {
    await endStep(context, revocation, signal, limits);
    await sourceHostStepsOf(context, revocation, signal, limits);
  } catch (error) {
    const { receipt_id } = await readRevocation(context.database, projectId);
    if (receipt_id) return { receiptId: receipt_id };
    await destroyStep(context, projectId);
    throw await remaining(context, projectId, error);
  }
  await destroyStep(context, projectId);
  return { receiptId: await finishRevocation(context, projectId) };
}

async function endStep(
  context: ApiContext,
  { project_id, steps, started_at }: RevocationRow,
  signal: AbortSignal,
  limits: Patience,
) {
  if (isDone(steps, 'builds_cancelled')) return;
  const detail = await endBuilds(context, project_id, { since: started_at, waitMs: limits.buildsMs, signal });
  await recordStep(context, project_id, { step: 'builds_cancelled', detail });
}

async function sourceHostStepsOf(
  context: ApiContext,
  { project_id, steps }: RevocationRow,
  signal: AbortSignal,
  { retryMs }: Patience,
) {
  const project = await projectAtHost(context, { projectId: project_id });
  for (const { step, run } of sourceHostSteps) {
    if (isDone(steps, step)) continue;
    const detail = await run({ context, project, signal, retryMs });
    await recordStep(context, project_id, { step, detail });
  }
}

async function destroyStep(context: ApiContext, projectId: string): Promise<void> {
  const detail =
    "The project's wrapped private key, its sealed secrets and its sealed deploy key are deleted.";
  await recordStep(context, projectId, { step: 'secrets_destroyed', detail }, (transaction) =>
    destroySecrets(transaction, projectId),
  );
}

function isDone(steps: RevocationStep[], wanted: RevocationStep['step']): boolean {
  return steps.some(({ step }) => step === wanted);
}

/** What the caller is told when the rest has to wait. */
async function remaining(context: ApiContext, projectId: string, error: unknown): Promise<unknown> {
  if (!(error instanceof SourceHostError)) return error;
  const { steps } = await readRevocation(context.database, projectId);
  context.log.warn({ project: projectId, code: error.code }, 'a revocation waits for the source host');
  const open = sourceHostSteps.filter(({ step }) => !isDone(steps, step)).map(({ step }) => step);
  const code = error.code === 'unreachable' || error.code === 'timeout' ? 'unreachable' : 'refused';
  const detail = `The project's secrets are destroyed and its builds are ended, but the source host holds up ${open.join(', ')}: ${error.message} Ebb tries again every minute; the same request tries at once.`;
  return new ProblemError(503, `source_host_${code}`, detail, {
    cause: error,
    headers: { 'retry-after': '60' },
  });
}
