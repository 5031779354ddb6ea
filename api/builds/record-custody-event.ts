import type { CustodyEvent, CustodyReport } from '../../contract/custody-event.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { Principal } from '../auth/principal.ts';
import type { ApiContext } from '../context.ts';
import { conflict } from '../http/problem-error.ts';
import { requireAttempt, requireLease } from './require-attempt.ts';
import type { BuildRow } from './state-machine.ts';

/**
 * Writes into the team's audit what a runner does with a key or a secret, once for each number of an attempt. A runner
 * reports an opening before it opens: throws 409 for one when the attempt is not the build's any more, when the build does
 * not run, is to be cancelled, or its project is being revoked. What was done with what is open is taken of an old attempt
 * too: its runner may have been cut off while it did it.
 */
export async function recordCustodyEvent(
  context: ApiContext,
  build: BuildRow,
  by: Principal,
  { attempt, number, at, event }: CustodyReport,
): Promise<void> {
  await context.database.transaction().execute(async (transaction) => {
    const row = await transaction
      .selectFrom('build')
      .innerJoin('project', 'project.id', 'build.project_id')
      .select(['attempt', 'state', 'cancel_requested', 'lease_holder', 'project.revoking_at'])
      .where('build.id', '=', build.id)
      .forUpdate('build')
      .executeTakeFirstOrThrow();
    requireLease(row, by);
    if (isOpening(event)) requireMayOpen(row, attempt);
    const fresh = await transaction
      .insertInto('custody_event')
      .values({ build_id: build.id, attempt, number })
      .onConflict((known) => known.doNothing())
      .returning('number')
      .executeTakeFirst();
    if (!fresh) return;
    const { action, ...detail } = event;
    const runner = attempt === row.attempt ? row.lease_holder?.split('/')[0] : undefined;
    await recordAudit(
      { ...context, database: transaction },
      {
        ...{ teamId: build.team_id, action, actor: by.keyId, subject: build.id },
        detail: { project: build.project_id, attempt, at, ...(runner ? { runner } : {}), ...detail },
      },
    );
  });
}

function requireMayOpen(
  build: Pick<BuildRow, 'attempt' | 'state' | 'cancel_requested'> & { revoking_at: Date | null },
  attempt: number,
): void {
  requireAttempt(build, attempt);
  if (build.state === 'running' && !build.cancel_requested && build.revoking_at === null) return;
  throw conflict(
    'not_to_open',
    `Nothing is opened for this build: it is ${build.state}, to be cancelled, or its project is being revoked.`,
  );
}

function isOpening({ action }: CustodyEvent): boolean {
  return action === 'deploy_key.opened' || action === 'secrets.opened';
}
