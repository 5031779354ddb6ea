import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { transact } from '../db/transact.ts';
import type { ProjectAtHost } from '../source-hosts/project-at-host.ts';
import { deleteHookBindingRow } from './hook-binding-store.ts';

/** Deletes the row of a hook that the source host does not have, or has no longer, and records why. */
export async function forgetHookBinding(
  context: ApiContext,
  { project, id, keyId, why }: { project: ProjectAtHost; id: string; keyId: string; why: string },
): Promise<void> {
  await transact(context, async (inside) => {
    if (!(await deleteHookBindingRow(inside.database, id))) return;
    await recordAudit(inside, {
      ...{ teamId: project.teamId, action: 'hook_binding.deleted', actor: keyId, subject: id },
      detail: { project: project.id, why },
    });
  });
}
