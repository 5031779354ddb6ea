/** Tells on the terminal what happens, with the time since the start. */
export interface Narrator {
  /** A step of the main job, such as `3/7 apply`. */
  step(text: string): void;
  line(text: string): void;
  /** Bytes as they come, such as a build's log, indented. */
  raw(text: string): void;
  /** Runs something and says how long it took. */
  timed<T>(text: string, work: () => Promise<T>): Promise<T>;
}

export function createNarrator(
  write: (text: string) => void,
  now: () => number = performance.now.bind(performance),
): Narrator {
  const start = now();
  const seconds = (from: number) => `${((now() - from) / 1000).toFixed(1)} s`;
  const line = (text: string) => write(`            ${text}\n`);
  let atLineStart = true;
  return {
    step: (text) => write(`\n[${seconds(start).padStart(8)}] ${text}\n`),
    line,
    raw(text) {
      for (const part of text.split(/(?<=\n)/)) {
        write(atLineStart ? `            │ ${part}` : part);
        atLineStart = part.endsWith('\n');
      }
    },
    async timed(text, work) {
      const from = now();
      const result = await work();
      line(`${text} (${seconds(from)})`);
      return result;
    },
  };
}
