import { hookBinding } from '../../contract/hook-binding.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { newId } from '../db/new-id.ts';
import { transact } from '../db/transact.ts';
import { howToImport } from '../http/how-to-import.ts';
import { conflict, invalidField } from '../http/problem-error.ts';
import { noteBaseline } from '../reconciler/note-baseline.ts';
import { provesNothingHappened } from '../source-hosts/errors.ts';
import { type ProjectAtHost, projectAtHost } from '../source-hosts/project-at-host.ts';
import { sourceHostProblem } from '../source-hosts/source-host-problem.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';
import { bindHook } from './bind-hook.ts';
import { forgetHookBinding } from './forget-hook-binding.ts';
import {
  type Binding,
  type HookBindingRow,
  hookBindingOfProject,
  insertHookBinding,
} from './hook-binding-store.ts';
import { findHook, hostedEvents, hostHook, isAsSet } from './hosted-hook.ts';

interface Wanted {
  projectId: string;
  teamId: string;
  binding: Binding;
  /** API key of who asks. */
  keyId: string;
}

/**
 * Binds a hook: row first, then the source host, so that the next call completes what a crash left, and sets right what
 * was edited there.
 * Throws problems: 404, 409 `hook_binding_exists`, and what the source host says.
 */
export async function createHookBinding(
  context: ApiContext,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<HookBindingRow> {
  const project = await projectAtHost(context, wanted);
  if (project.revokingAt) throw conflict('project_revoked', 'The project is being revoked.', 'project_id');
  requireEvents(project, wanted.binding);
  try {
    const pending = await pendingRow(context, project, wanted, signal);
    // What a hook that was there has missed is no baseline.
    if (pending.row.compared_since === null) await noteBaseline(context, project, pending.row, signal);
    return await addRow(context, { project, ...pending, keyId: wanted.keyId }, signal);
  } catch (error) {
    throw sourceHostProblem(error);
  }
}

/** The row to bring to the source host; `fresh` when there was none before, and so nothing at the source host either. */
interface Pending {
  row: HookBindingRow;
  fresh: boolean;
}

async function pendingRow(
  context: ApiContext,
  project: ProjectAtHost,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<Pending> {
  const left = await hookBindingOfProject(context.database, project.id);
  if (left) {
    const kept = await keepRow(context, { project, left, keyId: wanted.keyId }, signal);
    const updated = kept && (await bindHook(context, left, wanted.binding, wanted));
    if (updated) return { row: updated, fresh: false };
  }
  const row = {
    id: newId('hook', context.now().getTime()),
    project_id: project.id,
    ...wanted.binding,
    repository_id: (await inspect(project, signal)).id ?? null,
    source_host_id: null,
    created_at: context.now(),
  };
  const made = await transact(context, async (inside) => {
    const made = await insertHookBinding(inside.database, row);
    if (!made) throw alreadyThere(project);
    await recordAudit(inside, {
      ...{ teamId: project.teamId, action: 'hook_binding.created', actor: wanted.keyId, subject: row.id },
      detail: { project: project.id, ...wanted.binding },
    });
    return made;
  });
  return { row: made, fresh: true };
}

/**
 * Whether a row that is there is to be completed: a crash left it, or its hook was edited at the source host or given
 * up by it, and is set right in its place, so that what it missed meanwhile is caught up. Throws 409 when nothing is amiss.
 */
async function keepRow(
  context: ApiContext,
  { project, left, keyId }: { project: ProjectAtHost; left: HookBindingRow; keyId: string },
  signal: AbortSignal,
): Promise<boolean> {
  if (left.source_host_id === null) return true;
  const found = await findHook(context, project, { ...left, withinMs: 15_000 }, signal);
  // One that is to go, and that the source host holds on to, is not set right.
  if (isAsSet(context, left.id, found) || (found && left.remove_again_at)) throw alreadyThere(project);
  // Somebody deleted it at the source host: the row makes room for a new one.
  const why = 'The source host had it no longer.';
  if (!found) await forgetHookBinding(context, { project, id: left.id, keyId, why });
  return found !== undefined;
}

async function addRow(
  context: ApiContext,
  { project, row, fresh, keyId }: Pending & { project: ProjectAtHost; keyId: string },
  signal: AbortSignal,
): Promise<HookBindingRow> {
  try {
    return await hostHook(context, project, row, signal);
  } catch (error) {
    // Otherwise the hook may be there, by this attempt or the one that left the row, which stays to be completed.
    if (fresh && provesNothingHappened(error)) {
      const why = 'The source host did not take it.';
      await forgetHookBinding(context, { project, id: row.id, keyId, why });
    }
    throw error;
  }
}

async function inspect(project: ProjectAtHost, signal: AbortSignal) {
  return await withDeadline(signal, 15_000, (inTime) => project.host.inspect(project.repository, inTime));
}

/** Throws 422 when the source host has none of the events. */
export function requireEvents(project: ProjectAtHost, { events }: Pick<Binding, 'events'>): void {
  if (hostedEvents(project, events).length > 0) return;
  throw invalidField(
    'events',
    `The source host of ${project.repository} tells ${project.events.join(', ')} only. Name at least one of them.`,
  );
}

function alreadyThere(project: ProjectAtHost) {
  const name = `${project.teamName}/${project.name}`;
  const how = howToImport(hookBinding, project.teamName, { project: project.name });
  return conflict(
    'hook_binding_exists',
    `The project ${name} has a hook binding already. ${how} or delete it first.`,
    'project_id',
  );
}
