import { setTimeout as sleep } from 'node:timers/promises';
import { SourceHostError, unlessGone } from './errors.ts';
import type { Removal } from './source-host.ts';
import { withDeadline } from './with-deadline.ts';

const looks = 4;
const callMs = 15_000;

/** One thing that we put at a source host: how it is removed and looked for. */
export interface HostedThing {
  /** For the error message: `deploy key`. */
  what: string;
  /** Under which id it was added; null where a crash or a timeout kept that from us. */
  id: string | null;
  remove(id: string, signal: AbortSignal): Promise<Removal>;
  /** Finds it by what it is, also when somebody added it again under another id. */
  find(signal: AbortSignal): Promise<{ id: string } | undefined>;
}

/** What Ebb saw: that it removed it, that it was gone before, or no repository at all, deleted or hidden. */
export type SeenRemoval = Removal | 'no_repository';

// A host answers the same for both, so Ebb cannot say which.
export const noRepository =
  "The source host shows no such repository to the connection's credential: it was deleted, or it is hidden.";

/** Why somebody's key or hook was forgotten, for the audit trail. */
export function byRequest(seen: SeenRemoval): string {
  return seen === 'no_repository' ? `By request. ${noRepository}` : 'By request.';
}

/**
 * Removes it and looks again until it is gone.
 * Throws a SourceHostError; `refused` when the host says that it removed it and still shows it.
 */
export async function removeAndConfirm(thing: HostedThing, signal: AbortSignal): Promise<SeenRemoval> {
  const removal = thing.id === null ? 'absent' : await removeOnce(thing, thing.id, signal);
  const more = await confirmAbsent(thing, signal, thing.id);
  if (more === 'no_repository') return more;
  return more > 0 ? 'removed' : removal;
}

/**
 * Looks a few times, because hosts may answer from a copy that is a moment old. What somebody added again under another
 * id is removed too; gives how often. `no_repository` when the host shows none: what it hides may be in it.
 *
 * @param removed the id that was removed just now
 */
export async function confirmAbsent(
  thing: HostedThing,
  signal: AbortSignal,
  removed: string | null = null,
): Promise<number | 'no_repository'> {
  const gone = new Set(removed === null ? [] : [removed]);
  const before = gone.size;
  for (let look = 0; look < looks; look += 1) {
    if (look > 0) await sleep(100 * 3 ** look, undefined, { signal });
    const found = await unlessGone(() => withDeadline(signal, callMs, thing.find), 'no_repository' as const);
    if (found === 'no_repository') return found;
    if (found === undefined) return gone.size - before;
    if (gone.has(found.id)) continue;
    await removeOnce(thing, found.id, signal);
    gone.add(found.id);
  }
  throw new SourceHostError(
    'refused',
    `The source host still shows the ${thing.what} after it was removed. Remove it there by hand, then try again.`,
  );
}

/** A host may refuse to remove what is not there any more: then it is asked whether it is. */
async function removeOnce(thing: HostedThing, id: string, signal: AbortSignal): Promise<Removal> {
  try {
    return await withDeadline(signal, callMs, (inTime) => thing.remove(id, inTime));
  } catch (error) {
    if (!(error instanceof SourceHostError)) throw error;
    if (error.code === 'repository_not_found') return 'absent';
    if (error.code !== 'refused') throw error;
    const found = await unlessGone(() => withDeadline(signal, callMs, thing.find));
    if (found === undefined) return 'absent';
    throw error;
  }
}
