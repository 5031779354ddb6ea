import { setTimeout as delay } from 'node:timers/promises';
import type { ApiContext } from './context.ts';

/**
 * Does some work again and again until the signal aborts, with a pause in between; what fails is logged and tried again
 * after the pause. `what` completes the sentence "… failed": "the reconciliation".
 */
export async function runEvery(
  { log }: Pick<ApiContext, 'log'>,
  intervalMs: number,
  signal: AbortSignal,
  what: string,
  work: () => Promise<unknown>,
): Promise<void> {
  while (!signal.aborted) {
    await work().catch((error) => {
      if (!signal.aborted) log.warn({ error: String(error) }, `${what} failed; it is tried again`);
    });
    await delay(intervalMs, undefined, { signal }).catch(() => undefined);
  }
}
