import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { transact } from '../db/transact.ts';
import { goneOrBeingRevoked } from '../revocation/gone-or-being-revoked.ts';
import { leftHook } from '../revocation/left-at-source-host.ts';
import { projectAtHost } from '../source-hosts/project-at-host.ts';
import { byRequest, removeAndConfirm, type SeenRemoval } from '../source-hosts/remove-and-confirm.ts';
import { notRemoved, removeAgainAt } from '../source-hosts/remove-later.ts';
import { forgetHookBinding } from './forget-hook-binding.ts';
import { hookBindingOfTeam } from './hook-binding-store.ts';
import { hostedHook } from './hosted-hook.ts';

/**
 * Removes the hook at the source host, looks again that it is gone, and only then forgets it. When the host does not let
 * it go, deliveries are refused from now on and Ebb tries again by itself. Where it shows no repository, the hook is noted
 * and looked for from then on. 404 when there is none.
 */
export async function deleteHookBinding(
  context: ApiContext,
  { id, teamId, keyId }: { id: string; teamId: string; keyId: string },
  signal: AbortSignal,
): Promise<void> {
  const row = await hookBindingOfTeam(context.database, id, teamId);
  if (!row) throw await goneOrBeingRevoked(context.database, 'hook_binding', { id, teamId });
  const project = await projectAtHost(context, { projectId: row.project_id, teamId });
  let seen: SeenRemoval;
  try {
    seen = await removeAndConfirm(hostedHook(context, project, row), signal);
  } catch (error) {
    await transact(context, async (inside) => {
      await inside.database
        .updateTable('hook_binding')
        .set({ remove_again_at: removeAgainAt(context) })
        .where('id', '=', row.id)
        .execute();
      if (row.remove_again_at) return;
      await recordAudit(inside, {
        ...{ teamId, action: 'hook_binding.stopped', actor: keyId, subject: row.id },
        detail: { project: project.id, why: String(error) },
      });
    });
    throw notRemoved(error, 'What it delivers is refused.', [leftHook(context, project, row.id)]);
  }
  const mayRemain = seen === 'no_repository' ? row : undefined;
  await forgetHookBinding(context, { project, id, keyId, why: byRequest(seen), mayRemain });
}
