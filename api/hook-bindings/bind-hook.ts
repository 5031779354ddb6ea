import { changedFields } from '../audit/changed-fields.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { transact } from '../db/transact.ts';
import { type Binding, type HookBindingRow, setBinding } from './hook-binding-store.ts';

/** Binds a hook to something else, with its audit entry; undefined when somebody else changed it meanwhile. */
export async function bindHook(
  context: ApiContext,
  row: HookBindingRow,
  { branches, tags, events }: Binding,
  by: { teamId: string; keyId: string },
): Promise<HookBindingRow | undefined> {
  const wanted = { ...row, branches, tags, events };
  return await transact(context, async (inside) => {
    const changed = await setBinding(inside.database, wanted);
    if (!changed) return undefined;
    await recordAudit(inside, {
      ...{ teamId: by.teamId, action: 'hook_binding.changed', actor: by.keyId, subject: row.id },
      detail: { project: row.project_id, changed: changedFields(row, wanted) },
    });
    return changed;
  });
}
