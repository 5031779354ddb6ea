import type { ApiContext } from '../context.ts';
import { newId } from '../db/new-id.ts';
import { conflict, invalidField } from '../http/problem-error.ts';
import { noteBaseline } from '../reconciler/note-baseline.ts';
import { SourceHostError, unlessGone } from '../source-hosts/errors.ts';
import { type ProjectAtHost, projectAtHost } from '../source-hosts/project-at-host.ts';
import { removeAndConfirm } from '../source-hosts/remove-and-confirm.ts';
import { sourceHostProblem } from '../source-hosts/source-host-problem.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';
import {
  type Binding,
  deleteHookBindingRow,
  type HookBindingRow,
  hookBindingOfProject,
  insertHookBinding,
  setBinding,
  setHostedHookId,
} from './hook-binding-store.ts';
import { addHookAtHost, hostedEvents, hostedHook } from './hosted-hook.ts';

interface Wanted {
  projectId: string;
  teamId: string;
  binding: Binding;
}

/**
 * Binds a hook: row first, then the source host, so that the next call completes what a crash left.
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
    const row = await pendingRow(context, project, wanted.binding, signal);
    await noteBaseline(context, project, row, signal);
    return await addRow(context, project, row, signal);
  } catch (error) {
    throw sourceHostProblem(error);
  }
}

/** The row to bring to the source host: one that a crash left, else a new one. */
async function pendingRow(
  context: ApiContext,
  project: ProjectAtHost,
  binding: Binding,
  signal: AbortSignal,
): Promise<HookBindingRow> {
  const left = await hookBindingOfProject(context.database, project.id);
  if (left?.source_host_id === null) {
    const updated = await setBinding(context.database, { ...left, ...binding });
    if (updated) return updated;
  } else if (left?.source_host_id) {
    const found = await findHook(project, left.source_host_id, signal);
    if (found?.active) throw alreadyThere(project);
    // Somebody deleted it at the host or the host gave it up: it makes room for a new one.
    if (found) await removeAndConfirm(hostedHook(context, project, left), signal);
    await deleteHookBindingRow(context.database, left.id);
  }
  const row = {
    id: newId('hook', context.now().getTime()),
    project_id: project.id,
    ...binding,
    repository_id: (await inspect(project, signal)).id ?? null,
    source_host_id: null,
    created_at: context.now(),
  };
  const made = await insertHookBinding(context.database, row);
  if (!made) throw alreadyThere(project);
  return made;
}

async function addRow(context: ApiContext, project: ProjectAtHost, row: HookBindingRow, signal: AbortSignal) {
  let hostedId: string;
  try {
    hostedId = await addHookAtHost(context, project, row, signal);
  } catch (error) {
    // Only after these answers the hook is surely not there; after a timeout the row stays, to be completed.
    if (error instanceof SourceHostError && error.code !== 'timeout') {
      await deleteHookBindingRow(context.database, row.id);
    }
    throw error;
  }
  if (!(await setHostedHookId(context.database, row.id, hostedId))) {
    await removeAndConfirm(hostedHook(context, project, { ...row, source_host_id: hostedId }), signal);
    throw conflict('hook_binding_removed', 'The hook was removed while it was being made.', 'project_id');
  }
  return { ...row, source_host_id: hostedId };
}

async function findHook({ host, repository }: ProjectAtHost, id: string, signal: AbortSignal) {
  return await unlessGone(() =>
    withDeadline(signal, 15_000, (inTime) => host.findHook(repository, id, inTime)),
  );
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
  return conflict(
    'hook_binding_exists',
    `The project ${name} has a hook binding already. Import it (terraform import ebb_hook_binding.NAME ${name}) or delete it first.`,
    'project_id',
  );
}
