import { hookBinding } from '../../contract/hook-binding.ts';
import type { ApiContext } from '../context.ts';
import { applyPatch } from '../http/merge-patch.ts';
import { projectAtHost } from '../source-hosts/project-at-host.ts';
import { sourceHostProblem } from '../source-hosts/source-host-problem.ts';
import { bindHook } from './bind-hook.ts';
import { requireEvents } from './create-hook-binding.ts';
import { type HookBindingRow, hookBindingOfProject } from './hook-binding-store.ts';
import { hostHook, takeBackHook } from './hosted-hook.ts';

/**
 * Binds a hook to something else; at the source host, too, when the change names events: what was edited there by hand
 * is then as declared again. Undefined when somebody else changed or removed it meanwhile. Throws problems.
 */
export async function changeHookBinding(
  context: ApiContext,
  row: HookBindingRow,
  { patch, ...by }: { patch: Record<string, unknown>; teamId: string; keyId: string },
  signal: AbortSignal,
): Promise<HookBindingRow | undefined> {
  const wanted = applyPatch(hookBinding.changeable, row, patch);
  if (!('events' in patch)) return await bindHook(context, row, wanted, by);
  const project = await projectAtHost(context, { projectId: row.project_id });
  requireEvents(project, wanted);
  // The host first: when it does not take the change, the same request may be sent again.
  const apply = (row: HookBindingRow) =>
    hostHook(context, project, row, signal).catch((error) => {
      throw sourceHostProblem(error);
    });
  const hosted = await apply(wanted);
  const changed = await bindHook(context, row, wanted, by);
  if (changed) return changed;
  const other = await hookBindingOfProject(context.database, row.project_id);
  if (other) await apply(other);
  else await takeBackHook(context, project, hosted, signal);
  return undefined;
}
