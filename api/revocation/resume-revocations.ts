import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { continueRevocation } from './continue-revocation.ts';
import { inParallel } from './in-parallel.ts';
import type { RevocationRow } from './revocation-store.ts';
import type { Patience } from './revoke-project.ts';

const atOnce = 4;
const batch = 20;
// Until the attempt that follows has a lease of its own.
const claimMs = 60_000;

type Open = Pick<RevocationRow, 'id' | 'kind'>;

/**
 * Goes on with revocations that are due, a part of another one with that. At the start of a process `all` that are open
 * are due: their process may be the one that died. One that still cannot finish stays open for the next time. Answers how
 * many finished.
 */
export async function resumeRevocations(
  context: ApiContext,
  signal: AbortSignal,
  { limits, all = false }: { limits?: Patience; all?: boolean } = {},
): Promise<number> {
  const due = all ? await openRevocations(context.database) : await claimDue(context);
  let finished = 0;
  await inParallel(due, atOnce, async (revocation) => {
    if (signal.aborted) return;
    try {
      await continueRevocation(context, revocation, signal, limits);
      finished += 1;
    } catch (error) {
      if (!signal.aborted)
        context.log.warn({ revocation: revocation.id, err: error }, 'a revocation stays open');
    }
  });
  signal.throwIfAborted();
  return finished;
}

/** The time is moved first, so that two processes do not take up the same one. */
async function claimDue({ database, now }: ApiContext): Promise<Open[]> {
  const at = now();
  return await database.transaction().execute(async (transaction) => {
    const rows = await open(transaction)
      .where('revocation.next_try_at', '<=', at)
      .orderBy('revocation.next_try_at')
      .limit(batch)
      .forUpdate(['revocation'])
      .skipLocked()
      .execute();
    if (rows.length === 0) return [];
    const ids = rows.map(({ id }) => id);
    const next_try_at = new Date(at.getTime() + claimMs);
    await transaction.updateTable('revocation').set({ next_try_at }).where('id', 'in', ids).execute();
    return rows;
  });
}

async function openRevocations(database: Database): Promise<Open[]> {
  return await open(database).orderBy('revocation.started_at').execute();
}

/** Those that no other one drives. */
function open(database: Database) {
  return database
    .selectFrom('revocation')
    .leftJoin('revocation as whole', (join) =>
      join.onRef('whole.id', '=', 'revocation.parent_id').on('whole.finished_at', 'is', null),
    )
    .select(['revocation.id', 'revocation.kind'])
    .where('revocation.finished_at', 'is', null)
    .where('whole.id', 'is', null);
}
