import type { ApiContext } from '../context.ts';
import { signBuildReceipts } from './sign-build-receipts.ts';

const receiptAfterMs = 60_000;
const retryMs = 600_000;
const atOnce = 50;

/**
 * Signs what no report led to: a build whose runner died never hears that its VM is gone; its receipts say so. What no
 * runner was given has none. One that cannot be signed is put off, so that it holds up no other.
 */
export async function signMissingReceipts(context: ApiContext): Promise<void> {
  const { database, now, log } = context;
  const at = now();
  const builds = await database
    .selectFrom('build')
    .leftJoin('receipt', (join) =>
      join.onRef('receipt.subject', '=', 'build.id').on('receipt.kind', '=', 'ramdisk'),
    )
    .select('build.id')
    .where('build.parameters', 'is not', null)
    .where('build.finished_at', '<', new Date(at.getTime() - receiptAfterMs))
    .where('receipt.id', 'is', null)
    .where((is) => is.or([is('build.receipt_retry_at', 'is', null), is('build.receipt_retry_at', '<=', at)]))
    .orderBy('build.finished_at')
    .limit(atOnce)
    .execute();
  for (const { id } of builds) {
    try {
      await signBuildReceipts(context, id);
    } catch (error) {
      log.error({ build: id, error: String(error) }, 'the receipts of a build cannot be signed yet');
      const receipt_retry_at = new Date(at.getTime() + retryMs);
      await database.updateTable('build').set({ receipt_retry_at }).where('id', '=', id).execute();
    }
  }
}
