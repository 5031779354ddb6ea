import type { ApiContext } from '../context.ts';
import type { HookBindingRow } from '../hook-bindings/hook-binding-store.ts';
import { SourceHostError } from '../source-hosts/errors.ts';
import type { ProjectAtHost } from '../source-hosts/project-at-host.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';
import { noteFirstHeads } from './catch-up-branches.ts';

/**
 * Notes where the branches are before a hook is added: what moves from there on is a push, also one whose webhook is
 * lost. Where they cannot be listed, the first reconciliation that can does this.
 */
export async function noteBaseline(
  context: ApiContext,
  project: ProjectAtHost,
  hook: HookBindingRow,
  signal: AbortSignal,
): Promise<void> {
  const at = context.now();
  try {
    const branches = await withDeadline(signal, 15_000, (inTime) =>
      project.host.listBranches(project.repository, inTime),
    );
    await noteFirstHeads(context, hook.id, branches, at);
  } catch (error) {
    if (!(error instanceof SourceHostError) || error.code !== 'refused') throw error;
    context.log.warn({ hook_binding: hook.id, reason: error.message }, 'the branches could not be listed');
  }
}
