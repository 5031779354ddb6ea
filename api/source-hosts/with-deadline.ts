import { SourceHostError } from './errors.ts';

/**
 * Runs one call to a source host and gives it up after `milliseconds`: then a SourceHostError `timeout`, because what
 * was asked may have happened. Aborting `signal` rejects with the signal's reason.
 */
export async function withDeadline<T>(
  signal: AbortSignal,
  milliseconds: number,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = AbortSignal.timeout(milliseconds);
  try {
    return await call(AbortSignal.any([signal, deadline]));
  } catch (error) {
    if (error instanceof SourceHostError) throw error;
    signal.throwIfAborted();
    if (!deadline.aborted) throw error;
    const message = `The source host did not answer within ${milliseconds} ms. Try again in a minute.`;
    throw new SourceHostError('timeout', message, { cause: error });
  }
}
