import { setTimeout as delay } from 'node:timers/promises';

// Small enough to look live, large enough to keep a chatty build from calling the API for every line.
const flushAfterMs = 150;
const flushAtBytes = 256 * 1024;
const holdBackAtBytes = 2 * 1024 * 1024;

/** Carries a build's log to the API in order. */
export interface LogShipper {
  /** Resolves when there is room for more, so that a command that prints faster than the API takes is slowed down. */
  write(chunk: Buffer): Promise<void>;
  /** Sends the rest. Rejects with what made the API refuse the log. */
  end(): Promise<void>;
}

/**
 * @param options.from offset of the first byte
 * @param options.send appends bytes at an offset; must be safe to repeat
 */
export function createLogShipper(options: {
  from: number;
  send(offset: number, data: Buffer, signal: AbortSignal): Promise<void>;
  signal: AbortSignal;
}): LogShipper {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let offset = options.from;
  let running: Promise<void> | undefined;
  let failure: unknown;
  let ending = false;

  const flush = async () => {
    while (pendingBytes > 0 && failure === undefined) {
      if (!ending && pendingBytes < flushAtBytes)
        await delay(flushAfterMs, undefined, { signal: options.signal });
      const data = Buffer.concat(pending).subarray(0, 1024 * 1024);
      const rest = Buffer.concat(pending).subarray(data.length);
      pending = rest.length > 0 ? [rest] : [];
      pendingBytes = rest.length;
      await options.send(offset, data, options.signal);
      offset += data.length;
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
    async write(chunk) {
      if (failure !== undefined || chunk.length === 0) return;
      pending.push(chunk);
      pendingBytes += chunk.length;
      const done = start();
      if (pendingBytes > holdBackAtBytes) await done;
    },
    async end() {
      ending = true;
      while (pendingBytes > 0 && failure === undefined) await start();
      await running;
      if (failure !== undefined) throw failure;
    },
  };
}
