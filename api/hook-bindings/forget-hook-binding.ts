import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { transact } from '../db/transact.ts';
import type { ProjectAtHost } from '../source-hosts/project-at-host.ts';
import { deleteHookBindingRow, type HookBindingRow } from './hook-binding-store.ts';
import { insertRetiredHook } from './retired-hooks.ts';

/**
 * Deletes the row of a hook that the source host does not have, or has no longer, and records why. One that `mayRemain`
 * there is noted, so that it is looked for.
 */
export async function forgetHookBinding(
  context: ApiContext,
  {
    project,
    id,
    ...about
  }: {
    project: ProjectAtHost;
    id: string;
    keyId: string;
    why: string;
    mayRemain?: HookBindingRow | undefined;
  },
): Promise<void> {
  await transact(context, async (inside) => {
    if (!(await deleteHookBindingRow(inside.database, id))) return;
    if (about.mayRemain) await insertRetiredHook(inside, about.mayRemain);
    await recordAudit(inside, {
      ...{ teamId: project.teamId, action: 'hook_binding.deleted', actor: about.keyId, subject: id },
      detail: { project: project.id, why: about.why },
    });
  });
}
