import type { ApiContext } from '../context.ts';
import { notFound } from '../http/problem-error.ts';
import { projectAtHost } from '../source-hosts/project-at-host.ts';
import { removeAndConfirm } from '../source-hosts/remove-and-confirm.ts';
import { sourceHostProblem } from '../source-hosts/source-host-problem.ts';
import { forgetHookBinding } from './forget-hook-binding.ts';
import { hookBindingOfTeam } from './hook-binding-store.ts';
import { hostedHook, settledHookId } from './hosted-hook.ts';

/** Removes the hook at the source host, looks again that it is gone, and only then forgets it. 404 when there is none. */
export async function deleteHookBinding(
  context: ApiContext,
  { id, teamId, keyId }: { id: string; teamId: string; keyId: string },
  signal: AbortSignal,
): Promise<void> {
  const row = await hookBindingOfTeam(context.database, id, teamId);
  if (!row) throw notFound('hook binding', id);
  const project = await projectAtHost(context, { projectId: row.project_id, teamId });
  try {
    const hostedId = await settledHookId(context, project, row, signal);
    if (hostedId !== undefined) await removeAndConfirm(hostedHook(project, hostedId), signal);
  } catch (error) {
    throw sourceHostProblem(error);
  }
  await forgetHookBinding(context, { project, id, keyId, why: 'By request.' });
}
