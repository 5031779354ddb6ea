import type { ApiContext } from '../context.ts';
import { type Attempt, beginAttempt, isDone, orHeldUp, recordStep } from './attempt.ts';
import { finishOnce } from './finish-once.ts';
import { partsOf, type RevocationRow, readRevocation } from './revocation-store.ts';
import { commonOf, continueConnection, partReceipt, unconfirmed } from './revoke-connection.ts';
import { revokeParts } from './revoke-parts.ts';
import { type Patience, receiptOf } from './revoke-project.ts';

const connectionsAtOnce = 3;
// Who asked for it fetches the receipts with the key that he asked with.
const readableMs = 7 * 86_400_000;

/**
 * Goes on with the revocation of a team, to its receipt:
 *
 *     claims_and_tokens_stopped → connections_revoked → api_keys_ended → receipt signed, team gone
 *
 * With the first step every API key ends but that of who asked, which from then on reads revocations and receipts alone,
 * and ends seven days after the last step. Throws a 503 problem when something is held up.
 */
export async function continueTeam(
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
  if (!isDone(revocation, 'connections_revoked')) {
    const go = (id: string) => continueConnection(context, id, signal, limits);
    const parts = await revokeParts(attempt, 'connections_revoked', {
      atOnce: connectionsAtOnce,
      signal,
      go,
    });
    const projects: RevocationRow[] = [];
    for (const { id } of parts) projects.push(...(await partsOf(context.database, id)));
    const detail =
      parts.length === 0
        ? 'It had none.'
        : `${parts.length} revoked, each with a receipt of its own.${unconfirmed(projects)}`;
    await recordStep(attempt, { step: 'connections_revoked', detail });
  }
  const endsAt = new Date(context.now().getTime() + readableMs);
  const detail = `All are ended. The one that asked for this reads receipts and the audit trail until ${endsAt.toISOString()}, and nothing else.`;
  await recordStep(
    attempt,
    { step: 'api_keys_ended', detail },
    { change: (transaction) => endKeys(transaction, revocation, { now: context.now(), endsAt }) },
  );
  return await finishTeam(context, revocation.id);
}

/** The first end of the reading key counts: its own, where that comes sooner. */
async function endKeys(
  database: ApiContext['database'],
  { subject, id }: RevocationRow,
  { now, endsAt }: { now: Date; endsAt: Date },
): Promise<void> {
  const keys = database.updateTable('api_key').where('team_id', '=', subject).where('revoked_at', 'is', null);
  await keys
    .set({ revoked_at: now })
    .where((is) => is.or([is('reads_only', 'is', null), is('reads_only', '<>', id)]))
    .execute();
  await keys
    .set({ ends_at: endsAt })
    .where('reads_only', '=', id)
    .where((is) => is.or([is('ends_at', 'is', null), is('ends_at', '>', endsAt)]))
    .execute();
}

async function finishTeam(context: ApiContext, revocationId: string): Promise<string> {
  return await finishOnce(context, revocationId, async (transaction, revocation, finishedAt) => {
    const { subject } = revocation;
    const team = await transaction
      .updateTable('team')
      .set({ revoked_at: finishedAt })
      .where('id', '=', subject)
      .returning('name')
      .executeTakeFirstOrThrow();
    const keys = await transaction
      .selectFrom('api_key')
      .select(['id', 'reads_only', 'ends_at', 'revoked_at'])
      .where('team_id', '=', subject)
      .execute();
    const ended = keys.filter(
      (key) =>
        key.reads_only === revocation.id || (key.revoked_at && key.revoked_at >= revocation.started_at),
    );
    const reader = keys.find((key) => key.reads_only === revocation.id);
    const connections = await partsOf(transaction, revocation.id);
    const predicate = {
      team: { id: subject, name: team.name },
      ...commonOf(revocation, finishedAt),
      connections: connections.map(partReceipt),
      api_keys_ended: ended.length,
      receipts_readable_until: reader?.ends_at?.toISOString() ?? null,
    };
    return { kind: 'team_revocation', projectId: null, predicate };
  });
}
