import { sql } from 'kysely';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { type RevocationContent, signReceipt } from '../receipts/sign-receipt.ts';
import { auditOf } from './attempt.ts';
import { lockRevocation, type RevocationRow } from './revocation-store.ts';

/**
 * Ends a revocation in one transaction: `conclude` makes its last changes and says what is signed. Whoever comes second
 * answers the receipt of the first.
 */
export async function finishOnce(
  context: ApiContext,
  revocationId: string,
  conclude: (
    transaction: Database,
    revocation: RevocationRow,
    finishedAt: Date,
  ) => Promise<RevocationContent & { projectId: string | null }>,
): Promise<string> {
  return await context.database.transaction().execute(async (transaction) => {
    const revocation = await lockRevocation(transaction, revocationId);
    if (revocation.receipt_id) return revocation.receipt_id;
    const lastStep = Math.max(...revocation.steps.map((step) => Date.parse(step.at)));
    const finishedAt = new Date(Math.max(context.now().getTime(), lastStep));
    const content = await conclude(transaction, revocation, finishedAt);
    const { subject, team_id: teamId } = revocation;
    const receiptId = await signReceipt(context, transaction, { ...content, subject, teamId });
    await transaction
      .updateTable('revocation')
      .set({
        ...{ finished_at: finishedAt, receipt_id: receiptId },
        ...{ obstacle: sql<null>`null`, under_way: sql<null>`null` },
      })
      .where('id', '=', revocation.id)
      .execute();
    const finished = auditOf(revocation, 'finished', { receipt: receiptId });
    await recordAudit({ ...context, database: transaction }, finished);
    return receiptId;
  });
}
