import { createHash } from 'node:crypto';
import { deliveryFileName, writeDelivery } from './delivery-store.ts';
import { type GitContext, listRefs, type Refs, summarize } from './refs.ts';
import type { OpenRepository, RepositoryState } from './repository-state.ts';
import type { PushPayload } from './webhook.ts';

interface RefChange {
  ref: string;
  before: string;
  after: string;
}

/**
 * Writes a delivery for each hook and each ref that differs from what the hooks were told last, and returns the state
 * to remember; undefined when there is nothing new. What is announced follows from the refs alone, so it does not
 * matter when the process died after a push: the next call tells the rest. A delivery that is written twice has the
 * same id and the same file.
 */
export async function announce(
  { name, folder, state }: OpenRepository,
  context: GitContext,
): Promise<RepositoryState | undefined> {
  const hooks = state.hooks.filter((hook) => hook.events.includes('push'));
  if (state.hooks.length === 0) return undefined;
  const refs = await listRefs(folder, context);
  const changes = changedRefs(state.announced.refs, refs);
  if (changes.length === 0) return undefined;
  const generation = state.announced.generation + 1;
  for (const [index, change] of changes.entries()) {
    const description = await describeChange(name, folder, change, context);
    for (const hook of hooks) {
      const id = deliveryId(hook.id, generation, change);
      const payload: PushPayload = { event: 'push', delivery: id, ...description };
      const body = JSON.stringify(payload);
      await writeDelivery(folder, hook.id, deliveryFileName(generation, index), { id, body, attempts: 0 });
    }
  }
  return { ...state, announced: { generation, refs } };
}

/** Changed and new refs in the order of their names, then deleted ones. */
function changedRefs(before: Refs, after: Refs): RefChange[] {
  const known = new Map(Object.entries(before));
  const changed: RefChange[] = [];
  for (const [ref, object] of Object.entries(after)) {
    const old = known.get(ref);
    known.delete(ref);
    if (old !== object) changed.push({ ref, before: old ?? zeros(object), after: object });
  }
  const deleted = [...known].map(([ref, object]) => ({ ref, before: object, after: zeros(object) }));
  return [...changed, ...deleted];
}

async function describeChange(
  repository: string,
  folder: string,
  change: RefChange,
  context: GitContext,
): Promise<Omit<PushPayload, 'event' | 'delivery'>> {
  const deleted = change.after === zeros(change.after);
  const head = deleted ? undefined : await summarize(folder, change.after, context);
  return { repository, ...change, deleted, head_commit: head ?? null };
}

/** The null object id of the repository's hash, as git writes it. */
function zeros(object: string): string {
  return '0'.repeat(object.length);
}

/** In the form of a UUID, made from what is announced. */
function deliveryId(hook: string, generation: number, { ref, before, after }: RefChange): string {
  const hash = createHash('sha256').update([hook, generation, ref, before, after].join('\0')).digest('hex');
  return [
    hash.slice(0, 8),
    hash.slice(8, 12),
    hash.slice(12, 16),
    hash.slice(16, 20),
    hash.slice(20, 32),
  ].join('-');
}
