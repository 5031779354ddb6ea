import { setTimeout as delay } from 'node:timers/promises';

// Small enough to look live, large enough to keep a chatty build from calling the API for every line.
const flushAfterMs = 150;
const flushAtBytes = 256 * 1024;
const holdBackAtBytes = 2 * 1024 * 1024;
const maxCallBytes = 1024 * 1024;

/** Where the log stands behind a chunk, for a runner that goes on from there. */
export interface LogMark {
  cursor: string;
  /** Called when the chunk and all before it are with the API. */
  kept(): void;
}

/** Carries a build's log to the API in order. */
export interface LogShipper {
  /**
   * Resolves when there is room for more, so that a command that prints faster than the API takes is slowed down. A mark
   * of no bytes is kept with what comes before it.
   */
  write(chunk: Buffer, mark?: LogMark): Promise<void>;
  /** Sends what there is, now; resolves when that is done, or when the API refused the log. */
  sync(): Promise<void>;
  /** Sends the rest. Rejects with what made the API refuse the log. */
  end(): Promise<void>;
}

interface Pending {
  data: Buffer;
  mark: LogMark | undefined;
}

/**
 * @param options.from offset of the first byte
 * @param options.send appends bytes at an offset, and keeps with them the last mark's cursor; must be safe to repeat
 */
export function createLogShipper(options: {
  from: number;
  send(offset: number, data: Buffer, signal: AbortSignal, cursor?: string): Promise<void>;
  signal: AbortSignal;
}): LogShipper {
  const pending: Pending[] = [];
  let pendingBytes = 0;
  let offset = options.from;
  let running: Promise<void> | undefined;
  let failure: unknown;
  let ending = false;
  let hurry = new AbortController();

  const pause = async () => {
    const signal = AbortSignal.any([options.signal, hurry.signal]);
    await delay(flushAfterMs, undefined, { signal }).catch(() => options.signal.throwIfAborted());
  };
  const flush = async () => {
    while (pending.length > 0 && failure === undefined) {
      if (!ending && pendingBytes < flushAtBytes) await pause();
      const taken = takeWhole(pending);
      const data = Buffer.concat(taken.map((each) => each.data));
      const marks = taken.flatMap(({ mark }) => mark ?? []);
      pendingBytes -= data.length;
      if (data.length > 0) await options.send(offset, data, options.signal, marks.at(-1)?.cursor);
      offset += data.length;
      for (const mark of marks) mark.kept();
    }
  };
  const start = () => {
    running ??= flush()
      .catch((error) => {
        failure = error;
      })
      .finally(() => {
        running = undefined;
      });
    return running;
  };

  return {
    async write(chunk, mark) {
      if (failure !== undefined || (chunk.length === 0 && !mark)) return;
      pending.push({ data: chunk, mark });
      pendingBytes += chunk.length;
      const done = start();
      if (pendingBytes > holdBackAtBytes) await done;
    },
    async sync() {
      hurry.abort();
      hurry = new AbortController();
      await running;
    },
    async end() {
      ending = true;
      while (pending.length > 0 && failure === undefined) await start();
      await running;
      if (failure !== undefined) throw failure;
    },
  };
}

/** What goes into one call: chunks as they came, because a mark holds behind its chunk only; one that is too long is cut. */
function takeWhole(pending: Pending[]): Pending[] {
  const taken: Pending[] = [];
  let bytes = 0;
  for (let next = pending[0]; next; next = pending[0]) {
    if (bytes > 0 && bytes + next.data.length > maxCallBytes) break;
    if (next.data.length > maxCallBytes) {
      taken.push({ data: next.data.subarray(0, maxCallBytes), mark: undefined });
      next.data = next.data.subarray(maxCallBytes);
      break;
    }
    taken.push(next);
    pending.shift();
    bytes += next.data.length;
  }
  return taken;
}
