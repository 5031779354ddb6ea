import type { RevocationPredicate } from '../../contract/receipt-statement.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { destroySecrets } from './destroy-secrets.ts';
import { buildsSince, type EndingVm } from './end-builds.ts';
import { finishOnce } from './finish-once.ts';
import type { RevocationRow } from './revocation-store.ts';

/** Signs the receipt of a project, forgets key and hook, and marks the project revoked. */
export async function finishProject(context: ApiContext, revocationId: string): Promise<string> {
  return await finishOnce(context, revocationId, async (transaction, revocation, finishedAt) => {
    const { subject: projectId } = revocation;
    // A secret that was being stored while the first round ran.
    await destroySecrets(transaction, projectId);
    const predicate = await predicateOf(transaction, { revocation, finishedAt });
    for (const table of [
      'hook_binding',
      'retired_hook',
      'retired_deploy_key',
      'deploy_key',
      'addition',
    ] as const) {
      await transaction.deleteFrom(table).where('project_id', '=', projectId).execute();
    }
    await transaction
      .updateTable('project')
      .set({ revoked_at: finishedAt })
      .where('id', '=', projectId)
      .execute();
    return { kind: 'revocation', projectId, predicate };
  });
}

async function predicateOf(
  transaction: Database,
  { revocation, finishedAt }: { revocation: RevocationRow; finishedAt: Date },
): Promise<RevocationPredicate> {
  const { subject: id, started_at, steps } = revocation;
  const names = await transaction
    .selectFrom('project')
    .innerJoin('team', 'team.id', 'project.team_id')
    .leftJoin('deploy_key', 'deploy_key.project_id', 'project.id')
    .leftJoin('hook_binding', 'hook_binding.project_id', 'project.id')
    .select(['project.name', 'team.id as team_id', 'team.name as team_name'])
    .select(['deploy_key.fingerprint', 'hook_binding.id as hook_id'])
    .where('project.id', '=', id)
    .executeTakeFirstOrThrow();
  const builds = await buildsSince(transaction, id, started_at);
  return {
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
      vm: build.vm?.vm ?? null,
      vm_gone_at: goneAt(build.vm),
      earlier_vms: build.earlier.map((ending) => ({ vm: ending.vm, vm_gone_at: goneAt(ending) })),
    })),
  };
}

function goneAt(vm: EndingVm | null): string | null {
  return vm?.gone_at?.toISOString() ?? null;
}
