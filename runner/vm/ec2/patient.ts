import { setTimeout as delay } from 'node:timers/promises';
import type { Ec2Context } from './ec2-context.ts';
import { toEc2Error } from './ec2-error.ts';

/** Repeats a call that is safe to repeat while EC2 does not answer or asks for patience. */
export async function patient<T>(
  { pollMs }: Pick<Ec2Context, 'pollMs'>,
  call: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  for (let pauseMs = pollMs; ; pauseMs = Math.min(pauseMs * 2, 10_000)) {
    try {
      return await call();
    } catch (error) {
      signal.throwIfAborted();
      if (!['unanswered', 'throttled'].includes(toEc2Error('', error).kind)) throw error;
      await delay(pauseMs, undefined, { signal });
    }
  }
}
