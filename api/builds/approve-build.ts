import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { conflict } from '../http/problem-error.ts';
import {
  cancelIntermediateBuilds,
  lockIntermediateBuilds,
  signalCancellations,
} from './cancel-intermediate-builds.ts';
import { enqueueBuild } from './enqueue-build.ts';
import { requireRoom } from './queue-room.ts';
import { type BuildRow, transition } from './state-machine.ts';

/**
 * Lets in a build that a fork asked for: this very commit, once. Approving one that is in already changes nothing.
 * Throws 409 when it is over, and QueueFullError.
 */
export async function approveBuild(context: ApiContext, build: BuildRow, keyId: string): Promise<void> {
  if (build.state === 'awaiting_approval') await requireRoom(context);
  const approved = await context.database.transaction().execute(async (transaction) => {
    const row = await transition(transaction, build.id, 'approve', 'queued', { reason: null });
    if (!row) return undefined;
    const newer = { projectId: row.project_id, ref: row.ref, number: row.number };
    const older = await lockIntermediateBuilds(transaction, newer);
    const inside = { ...context, database: transaction };
    const cancelled = await cancelIntermediateBuilds(inside, older, row);
    await recordAudit(inside, {
      teamId: row.team_id,
      action: 'build.approved',
      actor: keyId,
      subject: row.id,
      detail: { pull_request: row.pull_request, commit: row.commit },
    });
    return { row, cancelled };
  });
  if (approved) {
    await enqueueBuild(context, approved.row);
    await signalCancellations(context, approved.cancelled);
    return;
  }
  const { state } = await context.database
    .selectFrom('build')
    .select('state')
    .where('id', '=', build.id)
    .executeTakeFirstOrThrow();
  if (state === 'cancelled')
    throw conflict(
      'not_awaiting',
      'The build was cancelled: its pull request was closed or has a newer commit.',
    );
}
