import { sql } from 'kysely';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { transact } from '../db/transact.ts';
import { goneOrBeingRevoked } from '../revocation/gone-or-being-revoked.ts';
import { leftKey } from '../revocation/left-at-source-host.ts';
import { projectAtHost } from '../source-hosts/project-at-host.ts';
import { byRequest, removeAndConfirm, type SeenRemoval } from '../source-hosts/remove-and-confirm.ts';
import { notRemoved, removeAgainAt } from '../source-hosts/remove-later.ts';
import { deployKeyOfTeam } from './deploy-key-store.ts';
import { forgetDeployKey } from './forget-deploy-key.ts';
import { hostedDeployKey } from './hosted-deploy-key.ts';
import { deleteRetiredKey, retiredKeysOfProject } from './retired-keys.ts';

/**
 * Removes the key at the source host, and those that were rotated out, looks again that they are gone, and only then
 * forgets them. When the host does not let it go, the private half is destroyed at once, the problem says what to remove
 * by hand, and Ebb tries again by itself. Where it shows no repository, the key is noted and looked for from then on. 404
 * when there is none.
 */
export async function deleteDeployKey(
  context: ApiContext,
  { id, teamId, keyId }: { id: string; teamId: string; keyId: string },
  signal: AbortSignal,
): Promise<void> {
  const { database } = context;
  const row = await deployKeyOfTeam(database, id, teamId);
  if (!row) throw await goneOrBeingRevoked(database, 'deploy_key', { id, teamId });
  const project = await projectAtHost(context, { projectId: row.project_id, teamId });
  const retired = await retiredKeysOfProject(database, project.id);
  let seen: SeenRemoval;
  try {
    seen = await removeAndConfirm(hostedDeployKey(project, row), signal);
    for (const old of retired) {
      const gone = await removeAndConfirm(hostedDeployKey(project, old), signal);
      if (gone !== 'no_repository') await deleteRetiredKey(database, old.id);
    }
  } catch (error) {
    await transact(context, async (inside) => {
      await inside.database
        .updateTable('deploy_key')
        .set({
          ...{ sealed_private_key: '', remove_again_at: removeAgainAt(context) },
          // No rotation of the project's key pair brings the private half back.
          version: sql<number>`version + 1`,
        })
        .where('id', '=', row.id)
        .execute();
      if (row.remove_again_at) return;
      await recordAudit(inside, {
        ...{ teamId, action: 'deploy_key.private_half_destroyed', actor: keyId, subject: row.id },
        detail: { project: project.id, fingerprint: row.fingerprint, why: String(error) },
      });
    });
    const left = [row, ...retired].map(({ fingerprint }) => leftKey(project, fingerprint));
    throw notRemoved(error, 'Its private half is destroyed.', left);
  }
  const mayRemain = seen === 'no_repository';
  await forgetDeployKey(context, { project, key: row, keyId, why: byRequest(seen), mayRemain });
}
