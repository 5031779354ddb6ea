import type { RevocationPredicate } from '../../contract/receipt-statement.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { signReceipt } from '../receipts/sign-receipt.ts';
import { destroySecrets } from './destroy-secrets.ts';
import { buildsSince } from './end-builds.ts';
import { lockRevocation, type RevocationRow } from './revocation-store.ts';

/**
 * In one transaction: signs the receipt, forgets key and hook, and marks the project revoked. Whoever comes second
 * answers the receipt of the first.
 */
export async function finishRevocation(context: ApiContext, projectId: string): Promise<string> {
  return await context.database.transaction().execute(async (transaction) => {
    const revocation = await lockRevocation(transaction, projectId);
    if (revocation.receipt_id) return revocation.receipt_id;
    // A secret that was being stored while the first round ran.
    await destroySecrets(transaction, projectId);
    const lastStep = Math.max(...revocation.steps.map((step) => Date.parse(step.at)));
    const finishedAt = new Date(Math.max(context.now().getTime(), lastStep));
    const { teamId, predicate } = await predicateOf(context, transaction, { revocation, finishedAt });
    const receiptId = await signReceipt(context, transaction, {
      kind: 'revocation',
      subject: projectId,
      teamId,
      projectId,
      predicate,
    });
    await transaction.deleteFrom('hook_binding').where('project_id', '=', projectId).execute();
    await transaction.deleteFrom('retired_deploy_key').where('project_id', '=', projectId).execute();
    await transaction.deleteFrom('deploy_key').where('project_id', '=', projectId).execute();
    await transaction
      .updateTable('project')
      .set({ revoked_at: finishedAt })
      .where('id', '=', projectId)
      .execute();
    await transaction
      .updateTable('revocation')
      .set({ finished_at: finishedAt, receipt_id: receiptId })
      .where('project_id', '=', projectId)
      .execute();
    return receiptId;
  });
}

async function predicateOf(
  context: ApiContext,
  transaction: Database,
  { revocation, finishedAt }: { revocation: RevocationRow; finishedAt: Date },
): Promise<{ teamId: string; predicate: RevocationPredicate }> {
  const { project_id: id, started_at, steps } = revocation;
  const names = await transaction
    .selectFrom('project')
    .innerJoin('team', 'team.id', 'project.team_id')
    .leftJoin('deploy_key', 'deploy_key.project_id', 'project.id')
    .leftJoin('hook_binding', 'hook_binding.project_id', 'project.id')
    .select(['project.name', 'team.id as team_id', 'team.name as team_name'])
    .select(['deploy_key.fingerprint', 'hook_binding.id as hook_id'])
    .where('project.id', '=', id)
    .executeTakeFirstOrThrow();
  const builds = await buildsSince({ ...context, database: transaction }, id, started_at);
  const predicate: RevocationPredicate = {
    project: { id, name: names.name },
    team: { id: names.team_id, name: names.team_name },
    requested_at: started_at.toISOString(),
    finished_at: finishedAt.toISOString(),
    steps,
    deploy_key_fingerprint: names.fingerprint,
    hook_id: names.hook_id,
    builds_ended: builds.map((build) => ({
      id: build.id,
      state: build.state,
      finished_at: build.finished_at?.toISOString() ?? null,
      vm: build.vm,
      vm_gone_at: build.vm_gone_at?.toISOString() ?? null,
    })),
  };
  return { teamId: names.team_id, predicate };
}
