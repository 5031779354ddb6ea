import { randomUUID } from 'node:crypto';
import { SourceHostError } from '../errors.ts';
import type { HostedHook, NewHook, Removal } from '../source-host.ts';
import { announce } from './announce.ts';
import type { DeliverySender } from './delivery-sender.ts';
import { removeDeliveries } from './delivery-store.ts';
import { type GitContext, listRefs } from './refs.ts';
import type { OpenRepository, RepositoryState, RepositoryStates, StoredHook } from './repository-state.ts';

export interface Hooks {
  add(repository: string, hook: NewHook): Promise<{ id: string }>;
  find(repository: string, id: string): Promise<HostedHook | undefined>;
  lookUp(repository: string, url: string): Promise<{ id: string } | undefined>;
  remove(repository: string, id: string): Promise<Removal>;
  /** Writes down what the hooks of a repository have not been told yet, then sends what waits. */
  announce(repository: string): Promise<void>;
}

export interface HooksOptions {
  states: RepositoryStates;
  sender: DeliverySender;
  git: GitContext;
}

export function createHooks({ states, sender, git }: HooksOptions): Hooks {
  return {
    async add(written, hook) {
      assertHook(hook);
      const { name } = await states.require(written);
      const id = await states.change(name, (open) => upsert(open, hook, git));
      if (id === undefined) await states.require(written); // Removed in between: says so.
      return { id: id ?? '' };
    },
    async find(written, id) {
      const open = await states.read(written);
      const hook = open?.state.hooks.find((stored) => stored.id === id);
      return hook && { id, url: hook.url, events: hook.events, active: true };
    },
    async lookUp(written, url) {
      const { name } = await states.require(written);
      const hook = (await states.read(name))?.state.hooks.find((stored) => stored.url === url);
      return hook && { id: hook.id };
    },
    async remove(written, id) {
      const folder = await states.change(written, async ({ state, folder }) => {
        const hooks = state.hooks.filter((hook) => hook.id !== id);
        return hooks.length < state.hooks.length
          ? { state: { ...state, hooks }, result: folder }
          : { result: undefined };
      });
      if (folder === undefined) return 'absent';
      await sender.stop(id);
      await removeDeliveries(folder, id);
      return 'removed';
    },
    async announce(repository) {
      const hooks = await states.change(repository, async (open) => {
        const state = await announce(open, git);
        return { ...(state && { state }), result: open.state.hooks };
      });
      for (const hook of hooks ?? []) sender.wake(repository, hook.id);
    },
  };
}

async function upsert(
  open: OpenRepository,
  hook: NewHook,
  git: GitContext,
): Promise<{ state: RepositoryState; result: string }> {
  // The hooks that are there already are told what is new; the added one starts from here.
  const state = (await announce(open, git)) ?? open.state;
  const announced =
    state.hooks.length > 0 ? state.announced : { ...state.announced, refs: await listRefs(open.folder, git) };
  const known = state.hooks.find(({ url }) => url === hook.url);
  const stored: StoredHook = {
    id: known?.id ?? `hook_${randomUUID()}`,
    url: hook.url,
    events: [...hook.events],
    secret: hook.secret.toString('base64'),
  };
  const hooks = [...state.hooks.filter((other) => other !== known), stored];
  return { state: { ...state, announced, hooks }, result: stored.id };
}

function assertHook({ url, secret }: NewHook): void {
  const { protocol } = URL.parse(url) ?? {};
  if (protocol !== 'https:' && protocol !== 'http:') {
    throw new SourceHostError('refused', 'url must be an address that begins with https:// or http://.');
  }
  if (secret.length < 16) {
    throw new SourceHostError(
      'refused',
      'secret must have at least 16 bytes, or others could sign in its place.',
    );
  }
}
