import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { newId } from '../db/new-id.ts';
import { transact } from '../db/transact.ts';
import { conflict, invalidField } from '../http/problem-error.ts';
import { noteBaseline } from '../reconciler/note-baseline.ts';
import { SourceHostError, unlessGone } from '../source-hosts/errors.ts';
import { type ProjectAtHost, projectAtHost } from '../source-hosts/project-at-host.ts';
import { removeAndConfirm } from '../source-hosts/remove-and-confirm.ts';
import { sourceHostProblem } from '../source-hosts/source-host-problem.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';
import { bindHook } from './bind-hook.ts';
import { forgetHookBinding } from './forget-hook-binding.ts';
import {
  type Binding,
  type HookBindingRow,
  hookBindingOfProject,
  insertHookBinding,
  setHostedHookId,
} from './hook-binding-store.ts';
import { addHookAtHost, hostedEvents, hostedHook } from './hosted-hook.ts';

interface Wanted {
  projectId: string;
  teamId: string;
  binding: Binding;
  /** API key of who asks. */
  keyId: string;
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
    const row = await pendingRow(context, project, wanted, signal);
    await noteBaseline(context, project, row, signal);
    return await addRow(context, { project, row, keyId: wanted.keyId }, signal);
  } catch (error) {
    throw sourceHostProblem(error);
  }
}

/** The row to bring to the source host: one that a crash left, else a new one. */
async function pendingRow(
  context: ApiContext,
  project: ProjectAtHost,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<HookBindingRow> {
  const left = await hookBindingOfProject(context.database, project.id);
  if (left?.source_host_id === null) {
    const updated = await bindHook(context, left, wanted.binding, wanted);
    if (updated) return updated;
  } else if (left?.source_host_id) {
    const hook = hostedHook(project, left.source_host_id);
    const found = await unlessGone(() => withDeadline(signal, 15_000, hook.find));
    if (found?.active) throw alreadyThere(project);
    // Somebody deleted it at the host or the host gave it up: it makes room for a new one.
    if (found) await removeAndConfirm(hook, signal);
    const why = 'The source host had it no longer, or had given it up.';
    await forgetHookBinding(context, { project, id: left.id, keyId: wanted.keyId, why });
  }
  const row = {
    id: newId('hook', context.now().getTime()),
    project_id: project.id,
    ...wanted.binding,
    repository_id: (await inspect(project, signal)).id ?? null,
    source_host_id: null,
    created_at: context.now(),
  };
  await transact(context, async (inside) => {
    if (!(await insertHookBinding(inside.database, row))) throw alreadyThere(project);
    await recordAudit(inside, {
      ...{ teamId: project.teamId, action: 'hook_binding.created', actor: wanted.keyId, subject: row.id },
      detail: { project: project.id, ...wanted.binding },
    });
  });
  return { ...row, version: 1, reconciled_at: null };
}

async function addRow(
  context: ApiContext,
  { project, row, keyId }: { project: ProjectAtHost; row: HookBindingRow; keyId: string },
  signal: AbortSignal,
) {
  let hostedId: string;
  try {
    hostedId = await addHookAtHost(context, project, row, signal);
  } catch (error) {
    // Only after these answers the hook is surely not there; after a timeout the row stays, to be completed.
    if (error instanceof SourceHostError && error.code !== 'timeout') {
      const why = 'The source host did not take it.';
      await forgetHookBinding(context, { project, id: row.id, keyId, why });
    }
    throw error;
  }
  if (!(await setHostedHookId(context.database, row.id, hostedId))) {
    await removeAndConfirm(hostedHook(project, hostedId), signal);
    throw conflict('hook_binding_removed', 'The hook was removed while it was being made.', 'project_id');
  }
  return { ...row, source_host_id: hostedId };
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
