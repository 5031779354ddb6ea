import type { HookEvent } from '../../contract/hook-binding.ts';
import type { ApiContext } from '../context.ts';
import { conflict } from '../http/problem-error.ts';
import { noteAddition } from '../source-hosts/note-addition.ts';
import type { ProjectAtHost } from '../source-hosts/project-at-host.ts';
import { type HostedThing, removeAndConfirm } from '../source-hosts/remove-and-confirm.ts';
import type { HostedHook } from '../source-hosts/source-host.ts';
import { sourceHostProblem } from '../source-hosts/source-host-problem.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';
import { type HookBindingRow, setHostedHookId } from './hook-binding-store.ts';

const callMs = 15_000;

/** Where the source host posts to. */
export function hookUrl(context: Pick<ApiContext, 'publicUrl'>, id: string): string {
  return `${context.publicUrl}/v1/hooks/${id}`;
}

/** Whether the source host delivers to this binding, and as Ebb has set it up. */
export function isAsSet(
  context: Pick<ApiContext, 'publicUrl'>,
  id: string,
  found: HostedHook | undefined,
): found is HostedHook {
  return found?.active === true && found.url === hookUrl(context, id);
}

/** Those of a binding's events that the source host has at all. */
export function hostedEvents(project: ProjectAtHost, events: readonly HookEvent[]): HookEvent[] {
  return events.filter((event) => project.events.includes(event));
}

/**
 * Brings the hook to the source host, or sets right the one that is there, and notes its id. When it was removed meanwhile
 * it is taken back there. Throws a SourceHostError where that brought nothing, else problems: 409.
 */
export async function hostHook(
  context: ApiContext,
  project: ProjectAtHost,
  row: HookBindingRow,
  signal: AbortSignal,
): Promise<HookBindingRow> {
  return await noteAddition(context, project.id, async () => {
    const hosted = { ...row, source_host_id: await addHookAtHost(context, project, row, signal) };
    if (await setHostedHookId(context.database, row.id, hosted.source_host_id)) return hosted;
    await takeBackHook(context, project, hosted, signal);
    throw conflict(
      'hook_binding_removed',
      'The hook was removed, or its project revoked, at the same moment.',
    );
  });
}

/** Removes a hook at the source host that is bound to nothing. Throws problems. */
export async function takeBackHook(
  context: ApiContext,
  project: ProjectAtHost,
  row: HookBindingRow,
  signal: AbortSignal,
): Promise<void> {
  await removeAndConfirm(hostedHook(context, project, row), signal).catch((error) => {
    throw sourceHostProblem(error);
  });
}

/** Gives its id. */
async function addHookAtHost(
  context: ApiContext,
  project: ProjectAtHost,
  { id, events, source_host_id: hostedId }: Pick<HookBindingRow, 'id' | 'events' | 'source_host_id'>,
  signal: AbortSignal,
): Promise<string> {
  const secret = context.custody.hookSecret(id);
  try {
    const url = hookUrl(context, id);
    const hook = { id: hostedId ?? undefined, url, secret, events: hostedEvents(project, events) };
    const added = await withDeadline(signal, callMs, (inTime) =>
      project.host.addHook(project.repository, hook, inTime),
    );
    return added.id;
  } finally {
    secret.fill(0);
  }
}

/**
 * The hook as it is there: under its id, or under another one when somebody removed it there and added it again. Throws
 * `repository_not_found`, which tells nothing of the hook.
 */
export async function findHook(
  context: Pick<ApiContext, 'publicUrl'>,
  { host, repository }: ProjectAtHost,
  { id, source_host_id: hostedId, withinMs }: { id: string; source_host_id: string | null; withinMs: number },
  signal: AbortSignal,
): Promise<HostedHook | undefined> {
  return await withDeadline(signal, withinMs, async (inTime) => {
    const found = hostedId === null ? undefined : await host.findHook(repository, hostedId, inTime);
    if (found) return found;
    const again = await host.lookUpHook(repository, hookUrl(context, id), inTime);
    return again && (await host.findHook(repository, again.id, inTime));
  });
}

/** The hook as something that can be removed at the source host. It is looked for by its url: an id may be new. */
export function hostedHook(
  context: Pick<ApiContext, 'publicUrl'>,
  { host, repository }: ProjectAtHost,
  hook: Pick<HookBindingRow, 'id' | 'source_host_id'>,
): HostedThing {
  return {
    what: 'hook',
    id: hook.source_host_id,
    remove: (hostedId, signal) => host.removeHook(repository, hostedId, signal),
    find: (signal) => host.lookUpHook(repository, hookUrl(context, hook.id), signal),
  };
}
