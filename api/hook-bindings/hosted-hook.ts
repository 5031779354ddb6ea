import type { HookEvent } from '../../contract/hook-binding.ts';
import type { ApiContext } from '../context.ts';
import { unlessGone } from '../source-hosts/errors.ts';
import type { ProjectAtHost } from '../source-hosts/project-at-host.ts';
import type { HostedThing } from '../source-hosts/remove-and-confirm.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';
import { type HookBindingRow, setHostedHookId } from './hook-binding-store.ts';

const callMs = 15_000;

/** Where the source host posts to. */
export function hookUrl(context: Pick<ApiContext, 'publicUrl'>, id: string): string {
  return `${context.publicUrl}/v1/hooks/${id}`;
}

/** Those of a binding's events that the source host has at all. */
export function hostedEvents(project: ProjectAtHost, events: readonly HookEvent[]): HookEvent[] {
  return events.filter((event) => project.events.includes(event));
}

/** Adds the hook at the source host; adding the same url again tells the same id. Throws a SourceHostError. */
export async function addHookAtHost(
  context: ApiContext,
  project: ProjectAtHost,
  { id, events }: Pick<HookBindingRow, 'id' | 'events'>,
  signal: AbortSignal,
): Promise<string> {
  const secret = context.custody.hookSecret(id);
  try {
    const hook = { url: hookUrl(context, id), secret, events: hostedEvents(project, events) };
    const added = await withDeadline(signal, callMs, (inTime) =>
      project.host.addHook(project.repository, hook, inTime),
    );
    return added.id;
  } finally {
    secret.fill(0);
  }
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

/**
 * The hook's id at the source host. When a crash or a timeout kept it from us, adding the same hook again tells it.
 * Undefined when the repository is gone, and the hook with it.
 */
export async function settledHookId(
  context: ApiContext,
  project: ProjectAtHost,
  hook: HookBindingRow,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (hook.source_host_id !== null) return hook.source_host_id;
  const id = await unlessGone(() => addHookAtHost(context, project, hook, signal));
  if (id !== undefined) await setHostedHookId(context.database, hook.id, id);
  return id;
}
