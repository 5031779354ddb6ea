import type { ApiContext } from '../context.ts';
import type { HookBindingRow } from '../hook-bindings/hook-binding-store.ts';
import { SourceHostError } from '../source-hosts/errors.ts';
import type { ProjectAtHost } from '../source-hosts/project-at-host.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';
import { setHeads } from './branch-heads.ts';

/**
 * Notes where the branches are before a hook is added: what moves from there on is a push, also one whose webhook is
 * lost. Where they cannot be listed, the first reconciliation does this.
 */
export async function noteBaseline(
  { database, now, log }: ApiContext,
  project: ProjectAtHost,
  hook: HookBindingRow,
  signal: AbortSignal,
): Promise<void> {
  try {
    const branches = await withDeadline(signal, 15_000, (inTime) =>
      project.host.listBranches(project.repository, inTime),
    );
    await setHeads(database, hook.id, branches);
    await database
      .updateTable('hook_binding')
      .set({ reconciled_at: now() })
      .where('id', '=', hook.id)
      .execute();
  } catch (error) {
    if (!(error instanceof SourceHostError) || error.code !== 'refused') throw error;
    log.warn({ hook_binding: hook.id, reason: error.message }, 'the branches could not be listed');
  }
}
