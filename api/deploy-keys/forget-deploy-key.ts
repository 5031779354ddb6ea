import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { transact } from '../db/transact.ts';
import type { ProjectAtHost } from '../source-hosts/project-at-host.ts';
import { type DeployKeyRow, deleteDeployKeyRow } from './deploy-key-store.ts';
import { insertRetiredKey } from './retired-keys.ts';

/**
 * Deletes the row of a key that the source host does not have, or has no longer, and records why. One that `mayRemain`
 * there is noted, so that it is looked for.
 */
export async function forgetDeployKey(
  context: ApiContext,
  {
    project,
    key,
    ...about
  }: { project: ProjectAtHost; key: DeployKeyRow; keyId: string; why: string; mayRemain?: boolean },
): Promise<void> {
  await transact(context, async (inside) => {
    if (!(await deleteDeployKeyRow(inside.database, key.id))) return;
    if (about.mayRemain) await insertRetiredKey(inside, key);
    await recordAudit(inside, {
      ...{ teamId: project.teamId, action: 'deploy_key.deleted', actor: about.keyId, subject: key.id },
      detail: { project: project.id, fingerprint: key.fingerprint, why: about.why },
    });
  });
}
