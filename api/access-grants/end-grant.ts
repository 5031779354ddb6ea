import { recordAudit } from '../audit/record-audit.ts';
import { cancelBuild } from '../builds/cancel-build.ts';
import type { ApiContext } from '../context.ts';
import { grantLasts } from './end-of-grant.ts';
import { type GrantRow, grantsOfLive, isOfLive, lockGrant } from './store.ts';

const atOnce = 100;

/** Takes a grant back at once: streams under it end, its runs are cancelled. Repeating it changes nothing. */
export async function takeBack(context: ApiContext, id: string, keyId: string): Promise<void> {
  await context.database.transaction().execute(async (transaction) => {
    const row = await lockGrant(transaction, id);
    if (!row || row.deleted_at) return;
    const now = context.now();
    await transaction
      .updateTable('access_grant')
      .set({ ended_at: row.ended_at ?? now, deleted_at: now })
      .where('id', '=', id)
      .execute();
    await recordAudit(
      { ...context, database: transaction },
      { teamId: row.team_id, action: 'access_grant.taken_back', actor: keyId, subject: id, detail: {} },
    );
  });
  await cancelRunsOfEndedGrants(context);
}

/**
 * Writes down that a grant is over, in a transaction that has its row locked: from then on it stays over, also when
 * the clock goes back. Call it last: it writes to the audit.
 */
export async function noteEnd(context: ApiContext, grant: GrantRow): Promise<void> {
  const ended = await context.database
    .updateTable('access_grant')
    .set({ ended_at: context.now() })
    .where('id', '=', grant.id)
    .where('ended_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  if (!ended) return;
  const detail = { ends_at: grant.ends_at.toISOString() };
  const about = { teamId: grant.team_id, action: 'access_grant.ended', actor: 'ebb', subject: grant.id };
  await recordAudit(context, { ...about, detail });
}

/**
 * Ends the grants whose time is over, or whose team or project is revoked, used or not, and cancels the runs that were
 * begun under them.
 */
export async function endGrants(context: ApiContext, signal: AbortSignal): Promise<void> {
  const live = grantsOfLive(context.database).select('access_grant.id');
  const over = await context.database
    .selectFrom('access_grant')
    .select('id')
    .where('ended_at', 'is', null)
    .where((is) => is.or([is('ends_at', '<=', context.now()), is('id', 'not in', live)]))
    .limit(atOnce)
    .execute();
  for (const { id } of over) {
    signal.throwIfAborted();
    await context.database.transaction().execute(async (transaction) => {
      const grant = await lockGrant(transaction, id);
      const lasts = grant && grantLasts(grant, context.now()) && (await isOfLive(transaction, id));
      if (grant && !lasts) await noteEnd({ ...context, database: transaction }, grant);
    });
  }
  await cancelRunsOfEndedGrants(context);
}

async function cancelRunsOfEndedGrants(context: ApiContext): Promise<void> {
  const builds = await context.database
    .selectFrom('build')
    .innerJoin('access_grant', 'access_grant.id', 'build.access_grant_id')
    .select('build.id')
    .where('access_grant.ended_at', 'is not', null)
    .where('build.finished_at', 'is', null)
    .where('build.cancel_requested', '=', false)
    .execute();
  for (const { id } of builds) await cancelBuild(context, id, 'The access grant it ran under has ended.');
}
