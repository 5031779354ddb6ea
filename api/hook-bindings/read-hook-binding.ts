import type { HookBinding, HookEvent } from '../../contract/hook-binding.ts';
import type { ApiContext } from '../context.ts';
import { notFound } from '../http/problem-error.ts';
import { goneOrBeingRevoked } from '../revocation/gone-or-being-revoked.ts';
import { SourceHostError, unlessGone } from '../source-hosts/errors.ts';
import { type ProjectAtHost, projectAtHost } from '../source-hosts/project-at-host.ts';
import { sourceHostProblem } from '../source-hosts/source-host-problem.ts';
import { stateAtHost } from '../source-hosts/state-at-host.ts';
import { type HookBindingRow, hookBindingOfTeam, setHostedHookId } from './hook-binding-store.ts';
import { findHook, hookUrl, hostedEvents, isAsSet } from './hosted-hook.ts';

const driftCheckMs = 3_000;

/**
 * A hook as it stands at the source host, with the events that it has there: one that was deleted, pointed elsewhere or
 * weakened there, or that the host gave up, is 404, so that Terraform plans it anew. When the host cannot be asked, the
 * answer is what Ebb last knew.
 */
export async function readHookBinding(
  context: ApiContext,
  { id, teamId }: { id: string; teamId: string },
  signal: AbortSignal,
): Promise<HookBindingRow> {
  const row = await hookBindingOfTeam(context.database, id, teamId);
  if (!row) throw await goneOrBeingRevoked(context.database, 'hook_binding', { id, teamId });
  const project = await projectAtHost(context, { projectId: row.project_id, teamId });
  try {
    const at = { ...row, withinMs: driftCheckMs };
    const found = await unlessGone(() => findHook(context, project, at, signal));
    if (!isAsSet(context, id, found)) throw notFound('hook binding', id);
    if (found.id !== row.source_host_id) await setHostedHookId(context.database, id, found.id);
    return { ...row, source_host_id: found.id, events: eventsNow(project, row.events, found.events) };
  } catch (error) {
    if (!(error instanceof SourceHostError) || row.source_host_id === null) throw sourceHostProblem(error);
    context.log.warn({ hook_binding: id, code: error.code }, 'the source host could not be asked for a hook');
    return row;
  }
}

/** As declared while the host has the same of what it has at all, else what it has. */
function eventsNow(project: ProjectAtHost, declared: HookEvent[], found: HookEvent[]): HookEvent[] {
  const wanted = hostedEvents(project, declared);
  const same = wanted.length === found.length && wanted.every((event) => found.includes(event));
  return same ? declared : found;
}

/** The hook as the API answers it. */
export function representHookBinding(context: ApiContext, row: HookBindingRow): HookBinding {
  return {
    id: row.id,
    project_id: row.project_id,
    branches: row.branches,
    tags: row.tags,
    events: row.events,
    url: hookUrl(context, row.id),
    source_host_id: row.source_host_id ?? '',
    state: stateAtHost(row),
    created_at: row.created_at.toISOString(),
  };
}
