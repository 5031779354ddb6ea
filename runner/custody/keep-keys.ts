import { setTimeout as delay } from 'node:timers/promises';
import { afterFailureMs, type KeyWorkContext } from './key-work-context.ts';
import { rewrapKeys } from './rewrap-keys.ts';
import { rotateProjectKeys } from './rotate-project-key.ts';

/** Wraps keys anew and rotates them, as is asked for, beside the builds and until `stop` aborts. Rejects never. */
export async function keepKeys(context: KeyWorkContext, stop: AbortSignal, pauseMs = 10_000): Promise<void> {
  const { log } = context;
  let rewrapAt = 0;
  const rotateAt = new Map<string, number>();
  while (!stop.aborted) {
    try {
      const rotated = await rotateProjectKeys(context, stop, rotateAt);
      if (rotated > 0) log.info({ rotated }, 'keys of projects rotated');
      if (Date.now() >= rewrapAt) {
        const { done, failed } = await rewrapKeys(context, stop);
        if (done > 0) log.info({ rewrapped: done, failed }, 'keys of projects wrapped anew');
        rewrapAt = failed > 0 ? Date.now() + afterFailureMs : 0;
      }
    } catch (error) {
      if (!stop.aborted) log.warn({ error: String(error) }, 'keys could not be looked after; trying again');
    }
    await delay(pauseMs, undefined, { signal: stop }).catch(() => undefined);
  }
}
