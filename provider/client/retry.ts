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

/** An attempt that failed, with what the server said of the next one. */
export class RetryableError extends Error {
  readonly code = 'retryable';
  readonly reason: ApiError | ApiUnreachableError;
  readonly retryAfterMilliseconds: number | undefined;
  /** An earlier attempt of the same is still at work: not a failure, so it does not count as an attempt. */
  readonly inProgress: boolean;

  constructor(reason: ApiError | ApiUnreachableError, retryAfterMilliseconds?: number, inProgress = false) {
    super(reason.message);
    this.reason = reason;
    this.retryAfterMilliseconds = retryAfterMilliseconds;
    this.inProgress = inProgress;
  }
}

const firstWaitMilliseconds = 500;
const longestWaitMilliseconds = 10_000;
const longestRetryAfterMilliseconds = 60_000;
// The API lets go of a creation that died with its process after a minute.
const inProgressMilliseconds = 90_000;

/**
 * Runs an operation again while it throws `RetryableError`: after the time the server asked for, at most a minute, else
 * after a random part of a time that doubles from half a second to ten. While an earlier attempt is in progress it waits
 * up to 90 s for that. Throws the last reason, or the signal's.
 */
export async function retry<T>(operation: () => Promise<T>, parts: RetryParts): Promise<T> {
  const { attempts, signal, sleep = sleepUntil, random = Math.random } = parts;
  let attempt = 1;
  let waitedForEarlier = 0;
  for (;;) {
    try {
      return await operation();
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      const wait = waitFor(error, attempt, random);
      if (error.inProgress) waitedForEarlier += wait;
      else attempt += 1;
      if (attempt > attempts || waitedForEarlier > inProgressMilliseconds) throw error.reason;
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
