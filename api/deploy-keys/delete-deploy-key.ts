import type { ApiContext } from '../context.ts';
import { notFound } from '../http/problem-error.ts';
import { projectAtHost } from '../source-hosts/project-at-host.ts';
import { removeAndConfirm } from '../source-hosts/remove-and-confirm.ts';
import { sourceHostProblem } from '../source-hosts/source-host-problem.ts';
import { deployKeyOfTeam } from './deploy-key-store.ts';
import { forgetDeployKey } from './forget-deploy-key.ts';
import { hostedDeployKey, settledKeyId } from './hosted-deploy-key.ts';
import { retiredKeyAtHost, retiredKeysOfProject } from './retired-keys.ts';

/**
 * Removes the key at the source host, and those that were rotated out, looks again that they are gone, and only then
 * forgets them. 404 when there is none.
 */
export async function deleteDeployKey(
  context: ApiContext,
  { id, teamId, keyId }: { id: string; teamId: string; keyId: string },
  signal: AbortSignal,
): Promise<void> {
  const row = await deployKeyOfTeam(context.database, id, teamId);
  if (!row) throw notFound('deploy key', id);
  const project = await projectAtHost(context, { projectId: row.project_id, teamId });
  try {
    const hostedId = await settledKeyId(context.database, project, row, signal);
    if (hostedId !== undefined) await removeAndConfirm(hostedDeployKey(project, hostedId), signal);
    for (const retired of await retiredKeysOfProject(context.database, project.id)) {
      const hosted = await retiredKeyAtHost(project, retired, signal);
      if (hosted) await removeAndConfirm(hosted, signal);
      await context.database.deleteFrom('retired_deploy_key').where('id', '=', retired.id).execute();
    }
  } catch (error) {
    throw sourceHostProblem(error);
  }
  await forgetDeployKey(context, { project, key: row, keyId, why: 'By request.' });
}
