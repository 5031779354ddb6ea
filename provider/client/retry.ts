import { setTimeout as sleepFor } from 'node:timers/promises';
import type { ApiError, ApiUnreachableError } from './api-error.ts';

export interface RetryParts {
  /** How often it is tried in all. */
  attempts: number;
  signal: AbortSignal;
  sleep?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** From 0 up to 1. */
  random?: () => number;
}

/** `earlier_attempt`: one of the same is still at work. `limit`: the source host takes fewer requests a minute, or Ebb sends fewer mails. */
export type WaitsFor = 'earlier_attempt' | 'limit';

/** An attempt that failed, with what the server said of the next one. */
export class RetryableError extends Error {
  readonly code = 'retryable';
  readonly reason: ApiError | ApiUnreachableError;
  readonly retryAfterMilliseconds: number | undefined;
  /** No failure, so it does not count as an attempt: there is something to wait for. */
  readonly waitsFor: WaitsFor | undefined;
  /** How often it is tried in all, where that is less than usual. */
  readonly attempts: number | undefined;

  constructor(
    reason: ApiError | ApiUnreachableError,
    retryAfterMilliseconds?: number,
    waitsFor?: WaitsFor,
    attempts?: number,
  ) {
    super(reason.message);
    this.reason = reason;
    this.retryAfterMilliseconds = retryAfterMilliseconds;
    this.waitsFor = waitsFor;
    this.attempts = attempts;
  }
}

const firstWaitMilliseconds = 500;
const longestWaitMilliseconds = 10_000;
const longestRetryAfterMilliseconds = 60_000;
const longestWaitsMilliseconds: Record<WaitsFor, number> = {
  // The API lets go of a creation that died with its process after a minute.
  earlier_attempt: 90_000,
  // Hosts count by the hour.
  limit: 7_200_000,
};

/**
 * Runs an operation again while it throws `RetryableError`: after the time the server asked for, at most a minute, else
 * after a random part of a time that doubles from half a second to ten. It waits up to 90 s for an earlier attempt, and up
 * to two hours for the limits of a source host. Throws the last reason, or the signal's.
 */
export async function retry<T>(operation: () => Promise<T>, parts: RetryParts): Promise<T> {
  const { attempts, signal, sleep = sleepUntil, random = Math.random } = parts;
  let attempt = 1;
  const waited: Record<WaitsFor, number> = { earlier_attempt: 0, limit: 0 };
  for (;;) {
    try {
      return await operation();
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      const wait = waitFor(error, attempt, random);
      const { waitsFor } = error;
      if (waitsFor) waited[waitsFor] += wait;
      else attempt += 1;
      if (
        attempt > (error.attempts ?? attempts) ||
        (waitsFor && waited[waitsFor] > longestWaitsMilliseconds[waitsFor])
      ) {
        throw error.reason;
      }
      await sleep(wait, signal);
    }
  }
}

function waitFor(error: RetryableError, attempt: number, random: () => number): number {
  if (error.retryAfterMilliseconds !== undefined) {
    return Math.min(error.retryAfterMilliseconds, longestRetryAfterMilliseconds);
  }
  const ceiling = Math.min(firstWaitMilliseconds * 2 ** (attempt - 1), longestWaitMilliseconds);
  // Never less than half of it, so that a restarting server is given some time.
  return ceiling * (0.5 + random() / 2);
}

async function sleepUntil(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleepFor(milliseconds, undefined, { signal });
}
