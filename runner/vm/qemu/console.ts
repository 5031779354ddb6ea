import type { Readable } from 'node:stream';

const tailBytes = 8 * 1024;

/** A VM's serial console: watched as it comes, its end kept in memory, never in a file. */
export interface Console {
  /** Resolves when this text was printed. */
  saw(text: string): Promise<void>;
  tail(): string;
}

export function readConsole(stream: Readable): Console {
  let tail = '';
  const waiting = new Map<string, () => void>();
  stream.on('data', (chunk: Buffer) => {
    // Looked through before it is cut: a chunk may be larger than what is kept.
    const seen = tail + chunk.toString('latin1');
    tail = seen.slice(-tailBytes);
    for (const [text, resolve] of waiting) {
      if (!seen.includes(text)) continue;
      waiting.delete(text);
      resolve();
    }
  });
  return {
    saw: (text) =>
      new Promise((resolve) => {
        if (tail.includes(text)) resolve();
        else waiting.set(text, resolve);
      }),
    // Control characters of a hostile console must not reach a terminal.
    tail: () => tail.replace(/[^\n\x20-\x7e]/g, ''),
  };
}
