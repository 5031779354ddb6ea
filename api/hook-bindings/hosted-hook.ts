import type { HookEvent } from '../../contract/hook-binding.ts';
import type { ApiContext } from '../context.ts';
import { unlessGone } from '../source-hosts/errors.ts';
import type { ProjectAtHost } from '../source-hosts/project-at-host.ts';
import type { HostedThing } from '../source-hosts/remove-and-confirm.ts';
import type { HostedHook } from '../source-hosts/source-host.ts';
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

/** Adds the hook at the source host, or sets right the one that is there; gives its id. Throws a SourceHostError. */
export async function addHookAtHost(
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

/** The hook as it is there: under its id, or under another one when somebody removed it there and added it again. */
export async function findHook(
  context: Pick<ApiContext, 'publicUrl'>,
  { host, repository }: ProjectAtHost,
  { id, source_host_id: hostedId, withinMs }: { id: string; source_host_id: string | null; withinMs: number },
  signal: AbortSignal,
): Promise<HostedHook | undefined> {
  return await unlessGone(() =>
    withDeadline(signal, withinMs, async (inTime) => {
      const found = hostedId === null ? undefined : await host.findHook(repository, hostedId, inTime);
      if (found) return found;
      const again = await host.lookUpHook(repository, hookUrl(context, id), inTime);
      return again && (await host.findHook(repository, again.id, inTime));
    }),
  );
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
