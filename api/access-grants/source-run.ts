import type { SourceRun } from '../../contract/support-access.ts';
import { insertBuild } from '../builds/insert-build.ts';
import type { BuildRow } from '../builds/state-machine.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import type { GrantRow } from './store.ts';

/** Writes the build of a support run: the crew's commands on a commit, in a fresh VM, without secrets. */
export async function insertSourceRun(
  context: ApiContext,
  transaction: Database,
  { grant, projectId, run }: { grant: GrantRow; projectId: string; run: SourceRun },
): Promise<BuildRow> {
  const { default_branch } = await transaction
    .selectFrom('project')
    .select('default_branch')
    .where('id', '=', projectId)
    .executeTakeFirstOrThrow();
  const branch = run.branch ?? default_branch;
  return await insertBuild(
    transaction,
    {
      ...{ projectId, teamId: grant.team_id, trigger: 'support' as const },
      ...{ ref: `refs/heads/${branch}`, branch, commit: run.commit, message: '' },
      support: { accessGrantId: grant.id, commands: run.commands },
    },
    context.now(),
  );
}
