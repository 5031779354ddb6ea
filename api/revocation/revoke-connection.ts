import { absenceUnseen } from '../../contract/receipt.ts';
import { cancelAllBuilds } from '../builds/cancel-all-builds.ts';
import type { ApiContext } from '../context.ts';
import { ProblemError } from '../http/problem-error.ts';
import { SourceHostError } from '../source-hosts/errors.ts';
import { hostColumns } from '../source-hosts/source-hosts.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';
import { type Attempt, beginAttempt, isDone, orHeldUp, recordStep } from './attempt.ts';
import { finishOnce } from './finish-once.ts';
import { partsOf, type RevocationRow, readRevocation } from './revocation-store.ts';
import { revokeParts } from './revoke-parts.ts';
import { continueProject, type Patience, postponeProject, receiptOf } from './revoke-project.ts';

const projectsAtOnce = 4;
const callMs = 15_000;
// What a source host says to one project and means for all of the connection.
const whole = ['unreachable', 'timeout', 'unauthorized', 'rate_limited'];

/**
 * Goes on with the revocation of a connection, to its receipt:
 *
 *     claims_and_tokens_stopped → projects_revoked → credential_ended_at_source_host → credential_destroyed
 *       → receipt signed, connection gone
 *
 * The credential is needed to remove keys and hooks, so it goes after the last project; a project that is held up keeps
 * it, but its own secrets are destroyed. Throws a 503 problem when something is held up.
 */
export async function continueConnection(
  context: ApiContext,
  revocationId: string,
  signal: AbortSignal,
  limits: Patience,
): Promise<string> {
  const attempt = await beginAttempt(context, revocationId);
  if (!attempt) return receiptOf(await readRevocation(context.database, revocationId));
  return await orHeldUp(attempt, signal, () => takeSteps(attempt, signal, limits));
}

async function takeSteps(attempt: Attempt, signal: AbortSignal, limits: Patience): Promise<string> {
  const { context, revocation } = attempt;
  if (!isDone(revocation, 'projects_revoked')) await projectsStep(attempt, signal, limits);
  if (!isDone(revocation, 'credential_ended_at_source_host')) {
    const step = 'credential_ended_at_source_host';
    await recordStep(attempt, { step, detail: await endCredential(context, revocation, signal) });
  }
  const detail = 'The sealed credential of the connection is deleted.';
  await recordStep(
    attempt,
    { step: 'credential_destroyed', detail },
    { change: (transaction) => destroyCredential(transaction, revocation.subject) },
  );
  return await finishConnection(context, revocation.id);
}

async function projectsStep(attempt: Attempt, signal: AbortSignal, limits: Patience): Promise<void> {
  const { context, revocation } = attempt;
  const open = (await partsOf(context.database, revocation.id)).filter(({ finished_at }) => !finished_at);
  // All at once, before the first is waited for.
  for (const { subject } of open) {
    await cancelAllBuilds(context, subject, 'The connection is being revoked.', signal);
  }
  let down: SourceHostError | undefined;
  const go = async (id: string) => {
    // What the host does not answer for one project it does not answer for another; no secret waits for that.
    if (down) return await postponeProject(context, id, down);
    await continueProject(context, id, signal, limits).catch((error) => {
      const cause = error instanceof ProblemError ? error.cause : undefined;
      if (cause instanceof SourceHostError && whole.includes(cause.code)) down = cause;
      throw error;
    });
  };
  const parts = await revokeParts(attempt, 'projects_revoked', { atOnce: projectsAtOnce, signal, go });
  const detail =
    parts.length === 0
      ? 'It had no project.'
      : `${parts.length} revoked, each with a receipt of its own.${unconfirmed(parts)}`;
  await recordStep(attempt, { step: 'projects_revoked', detail });
}

/** The credential that could look again is destroyed next, so whoever reads the connection's receipt hears of it. */
export function unconfirmed(projects: RevocationRow[]): string {
  const names = projects
    .filter((project) => absenceUnseen.some((step) => isDone(project, step)))
    .map(({ name }) => name);
  if (names.length === 0) return '';
  return ` NOT CONFIRMED BY EBB that hook and deploy key are gone from the source host: ${names.join(', ')}; their receipts name what may remain.`;
}

/** Nothing waits for this: a credential that stays alive there is one more reason to destroy it here. */
async function endCredential(
  context: ApiContext,
  { subject }: RevocationRow,
  signal: AbortSignal,
): Promise<string> {
  const connection = await context.database
    .selectFrom('connection')
    .select(hostColumns)
    .where('id', '=', subject)
    .executeTakeFirstOrThrow();
  if (connection.sealed_credential === null) return 'It had no credential.';
  const host = context.sourceHosts.of(connection);
  if (!host?.endCredential) {
    return `A credential of ${connection.kind} cannot end itself: delete it there as well.`;
  }
  try {
    await withDeadline(signal, callMs, (inTime) => host.endCredential?.(inTime) ?? Promise.resolve());
    return 'The source host was told, and takes the credential no more.';
  } catch (error) {
    if (!(error instanceof SourceHostError)) throw error;
    if (error.code === 'unauthorized') return 'The source host did not take the credential any more.';
    return `The source host could not be told: ${error.message} Delete the credential there as well.`;
  }
}

async function destroyCredential(database: ApiContext['database'], id: string): Promise<void> {
  await database.updateTable('connection').set({ sealed_credential: null }).where('id', '=', id).execute();
}

async function finishConnection(context: ApiContext, revocationId: string): Promise<string> {
  return await finishOnce(context, revocationId, async (transaction, revocation, finishedAt) => {
    const { name, kind, team } = await transaction
      .updateTable('connection')
      .from('team')
      .set({ deleted_at: finishedAt, sealed_credential: null })
      .whereRef('team.id', '=', 'connection.team_id')
      .where('connection.id', '=', revocation.subject)
      .returning(['connection.name', 'connection.kind', 'team.name as team'])
      .executeTakeFirstOrThrow();
    const projects = await partsOf(transaction, revocation.id);
    const predicate = {
      connection: { id: revocation.subject, name, kind },
      team: { id: revocation.team_id, name: team },
      ...commonOf(revocation, finishedAt),
      projects: projects.map(partReceipt),
    };
    return { kind: 'connection_revocation', projectId: null, predicate };
  });
}

/** What the receipts of connections and teams have in common. */
export function commonOf({ requested_by, started_at, steps }: RevocationRow, finishedAt: Date) {
  return {
    requested_by,
    requested_at: started_at.toISOString(),
    finished_at: finishedAt.toISOString(),
    steps,
  };
}

export function partReceipt(part: RevocationRow) {
  return { id: part.subject, name: part.name, receipt_id: receiptOf(part) };
}
