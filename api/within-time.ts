import { setTimeout as delay } from 'node:timers/promises';

/** What `work` gives; undefined when it fails, or takes longer. */
export async function withinTime<T>(work: Promise<T>, milliseconds: number): Promise<T | undefined> {
  const done = new AbortController();
  const late = delay(milliseconds, undefined, { signal: done.signal }).catch(() => undefined);
  return await Promise.race([work.catch(() => undefined), late]).finally(() => done.abort());
}
