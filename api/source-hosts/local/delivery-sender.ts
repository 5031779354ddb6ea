import { setTimeout as delay } from 'node:timers/promises';
import {
  type Delivery,
  moveToFailed,
  nextDelivery,
  removeDelivery,
  writeDelivery,
} from './delivery-store.ts';
import type { OpenRepository, StoredHook } from './repository-state.ts';
import { webhookHeaders } from './webhook.ts';

const maxAttempts = 8;
const requestTimeoutMs = 10_000;

export interface DeliverySenderOptions {
  /** Gives the hook as it is now; undefined when it is gone. */
  findHook(repository: string, hook: string): Promise<{ open: OpenRepository; hook: StoredHook } | undefined>;
  fetch: typeof globalThis.fetch;
  /** How long to wait after the n-th failed attempt, n from 1. */
  retryDelayMs(attempt: number): number;
  /** Told what came of each attempt, for the log: nothing of the body. */
  onAttempt(report: {
    repository: string;
    hook: string;
    delivery: string;
    attempt: number;
    outcome: string;
  }): void;
  onError(error: unknown): void;
}

export interface DeliverySender {
  /** Sends what waits for this hook, if it is not being sent already. */
  wake(repository: string, hook: string): void;
  /** Resolves when nothing of this hook is being sent any more. What waits stays on disk. */
  stop(hook: string): Promise<void>;
  /** Resolves when every delivery is taken or given up. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

interface Worker {
  again: boolean;
  stop: AbortController;
  done: Promise<void>;
}

/**
 * Posts the deliveries of each hook one at a time, in order; a hook whose receiver is down holds up no other hook.
 * Each delivery is tried up to 8 times, then it is kept as failed and the next one gets its turn.
 */
export function createDeliverySender(options: DeliverySenderOptions): DeliverySender {
  const workers = new Map<string, Worker>();
  let closed = false;

  const work = async (repository: string, hook: string, worker: Worker): Promise<void> => {
    try {
      do {
        worker.again = false;
        while (
          !worker.stop.signal.aborted &&
          (await sendNext(repository, hook, options, worker.stop.signal))
        );
      } while (worker.again && !worker.stop.signal.aborted);
    } catch (error) {
      if (!worker.stop.signal.aborted) options.onError(error);
    } finally {
      workers.delete(hook);
    }
  };
  const stop = async (hook: string) => {
    const worker = workers.get(hook);
    worker?.stop.abort();
    await worker?.done;
  };
  return {
    wake(repository, hook) {
      if (closed) return;
      const running = workers.get(hook);
      if (running) {
        running.again = true;
        return;
      }
      const worker: Worker = { again: false, stop: new AbortController(), done: Promise.resolve() };
      workers.set(hook, worker);
      worker.done = work(repository, hook, worker);
    },
    stop,
    async idle() {
      while (workers.size > 0) await Promise.all([...workers.values()].map(({ done }) => done));
    },
    async close() {
      closed = true;
      await Promise.all([...workers.keys()].map(stop));
    },
  };
}

/** Tries the oldest delivery once and waits out its delay; false when nothing waits. */
async function sendNext(
  repository: string,
  hookId: string,
  options: DeliverySenderOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const found = await options.findHook(repository, hookId);
  if (found === undefined) return false;
  const { folder } = found.open;
  const next = await nextDelivery(folder, hookId);
  if (next === undefined || signal.aborted) return false;
  const outcome = await post(found.hook, next.delivery, options.fetch, signal);
  if (signal.aborted) return false;
  const attempt = next.delivery.attempts + 1;
  options.onAttempt({ repository, hook: hookId, delivery: next.delivery.id, attempt, outcome: outcome.text });
  if (outcome.taken) {
    await removeDelivery(folder, hookId, next.file);
    return true;
  }
  await writeDelivery(folder, hookId, next.file, {
    ...next.delivery,
    attempts: attempt,
    lastOutcome: outcome.text,
  });
  if (attempt >= maxAttempts) await moveToFailed(folder, hookId, next.file);
  else await delay(options.retryDelayMs(attempt), undefined, { signal });
  return true;
}

async function post(
  hook: StoredHook,
  delivery: Delivery,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<{ taken: boolean; text: string }> {
  const body = Buffer.from(delivery.body);
  const secret = Buffer.from(hook.secret, 'base64');
  try {
    const response = await fetch(hook.url, {
      method: 'POST',
      headers: webhookHeaders(delivery.id, body, secret),
      body,
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(requestTimeoutMs)]),
    });
    await response.body?.cancel();
    // 409: it was taken before, and the answer to that got lost.
    return { taken: response.ok || response.status === 409, text: `HTTP ${response.status}` };
  } catch (error) {
    return { taken: false, text: nameOf(error) };
  } finally {
    secret.fill(0);
  }
}

/** Such as ECONNREFUSED or TimeoutError; never a message, which could repeat the URL. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'Error';
  const code = (error.cause as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === 'string' ? code : error.name;
}
