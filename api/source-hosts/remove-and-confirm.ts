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
  remove(signal: AbortSignal): Promise<Removal>;
  find(signal: AbortSignal): Promise<unknown>;
}

/**
 * Removes it and looks again until it is gone. `absent` when it was gone before, with its repository or alone.
 * Throws a SourceHostError; `refused` when the host says that it removed it and still shows it.
 */
export async function removeAndConfirm(thing: HostedThing, signal: AbortSignal): Promise<Removal> {
  const removal = await unlessGone(() => withDeadline(signal, callMs, thing.remove), 'absent' as const);
  await confirmAbsent(thing, signal);
  return removal;
}

/** Looks a few times, because hosts may answer from a copy that is a moment old. */
export async function confirmAbsent(thing: Omit<HostedThing, 'remove'>, signal: AbortSignal): Promise<void> {
  for (let look = 0; look < looks; look += 1) {
    if (look > 0) await sleep(100 * 3 ** look, undefined, { signal });
    const found = await unlessGone(() => withDeadline(signal, callMs, thing.find));
    if (found === undefined) return;
  }
  throw new SourceHostError(
    'refused',
    `The source host still shows the ${thing.what} after it was removed. Remove it there by hand, then try again.`,
  );
}
