import type { BuildCreation } from '../../contract/build.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { Principal } from '../auth/principal.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { transact } from '../db/transact.ts';
import { conflict, invalidField } from '../http/problem-error.ts';
import { projectAtHost } from '../source-hosts/project-at-host.ts';
import { sourceHostProblem } from '../source-hosts/source-host-problem.ts';
import { enqueueBuild } from './enqueue-build.ts';
import { insertBuild } from './insert-build.ts';
import { requireRoom } from './queue-room.ts';
import type { BuildRow } from './state-machine.ts';

const hostTimeoutMs = 10_000;

/**
 * Starts a build by request: the head of a branch, or the commit that is named. `accept` notes in the transaction of
 * its row that there is one. Throws problems and QueueFullError.
 */
export async function createBuild(
  context: ApiContext,
  { teamId, keyId }: Pick<Principal, 'teamId' | 'keyId'>,
  body: BuildCreation,
  accept: (transaction: Database, build: BuildRow) => Promise<void> = async () => {},
): Promise<BuildRow> {
  const project = await projectAtHost(context, { projectId: body.project_id, teamId });
  if (project.revokingAt) throw conflict('project_revoked', `The project ${project.name} is being revoked.`);
  await requireDeployKey(context, project);
  const branch = body.branch ?? (await defaultBranch(context, project.id));
  const head = await project.host
    .resolveRef(project.repository, `refs/heads/${branch}`, AbortSignal.timeout(hostTimeoutMs))
    .catch((error) => {
      throw sourceHostProblem(error);
    });
  if (!head) {
    throw invalidField(
      'branch',
      `The repository ${project.repository} has no branch ${branch}. Push it, or name another branch.`,
    );
  }
  const ref = `refs/heads/${branch}`;
  const commit = body.commit ?? head.commit;
  await requireRoom(context);
  const build = await transact(context, async (inside) => {
    const wanted = {
      projectId: project.id,
      teamId,
      trigger: 'api',
      ref,
      branch,
      commit,
      message: '',
      priority: body.priority ?? 0,
    } as const;
    const made = await insertBuild(inside.database, wanted, context.now());
    await accept(inside.database, made);
    const detail = { project: project.id, ref, commit };
    await recordAudit(inside, { teamId, action: 'build.created', actor: keyId, subject: made.id, detail });
    return made;
  });
  await enqueueBuild(context, build);
  return build;
}

async function requireDeployKey(
  { database }: ApiContext,
  project: { id: string; name: string },
): Promise<void> {
  const key = await database
    .selectFrom('deploy_key')
    .select('id')
    .where('project_id', '=', project.id)
    .where('source_host_id', 'is not', null)
    .executeTakeFirst();
  if (!key) {
    throw conflict(
      'no_deploy_key',
      `The project ${project.name} has no deploy key to check out with. Declare an ebb_deploy_key for it.`,
      'project_id',
    );
  }
}

async function defaultBranch({ database }: ApiContext, projectId: string): Promise<string> {
  const row = await database
    .selectFrom('project')
    .select('default_branch')
    .where('id', '=', projectId)
    .executeTakeFirstOrThrow();
  return row.default_branch;
}
