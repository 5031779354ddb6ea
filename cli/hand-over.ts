import { LetGo } from '../runner/build/build-end.ts';

/**
 * Aborts, with LetGo, when a runner is to leave its builds to others: when it is `asked` to, or `drainSeconds` after it was
 * asked to `stop`.
 */
export function handOverSignal(options: {
  stop: AbortSignal;
  asked: AbortSignal;
  drainSeconds?: number | undefined;
}): AbortSignal {
  const { stop, asked, drainSeconds } = options;
  const handOver = new AbortController();
  const leave = () => handOver.abort(new LetGo('The runner stops and hands its builds over.'));
  asked.addEventListener('abort', leave, { once: true });
  if (drainSeconds !== undefined) {
    const drain = () => setTimeout(leave, drainSeconds * 1000).unref();
    stop.addEventListener('abort', drain, { once: true });
  }
  return handOver.signal;
}
