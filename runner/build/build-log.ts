import type { Phase } from '../../contract/build.ts';
import type { BuildEnd } from './build-end.ts';
import type { BuildReports } from './control-plane.ts';
import type { LogCursor } from './log-cursor.ts';
import { createLogShipper, type LogMark } from './log-shipper.ts';
import { createMask, type Mask } from './mask.ts';

/** The log of one attempt as the team reads it: Ebb's own lines begin with `ebb: `, commands with `$ `. */
export interface BuildLog {
  note(text: string): void;
  /** Output of what cannot be taken up by another runner. */
  output(chunk: Buffer): Promise<void>;
  /** Says which command comes now, and takes its output. */
  command(about: { number: number; phase: Phase; command: string }, onKept: OnKept): CommandOutput;
  /** Goes on with the output of a command where the log's cursor stands. */
  resume(number: number, onKept: OnKept): CommandOutput;
  /** Resolves when all that was written is with the API, or the API refused it. */
  sync(): Promise<void>;
  /** From now on these values do not appear. */
  mask(secrets: readonly string[]): void;
  /** Says how the attempt ended and sends what is left. Rejects with what made the API refuse the log. */
  end(end: BuildEnd): Promise<void>;
}

/** Told up to which byte a command's output is in the log for good, so that nobody needs it again. */
type OnKept = (offset: number) => void;

export interface CommandOutput {
  /** Offset of the first byte that the log lacks. */
  from: number;
  /** `end` is the offset behind the chunk. */
  write(chunk: Buffer, end: number): Promise<void>;
  /** The command has ended: what was held back of its output is shown. */
  settle(): Promise<void>;
  /** There is nothing more to come of it. */
  over(): void;
}

interface Stream {
  mask: Mask;
  received: number;
  onKept: OnKept;
  isOver: boolean;
}

// Kept free for Ebb's own last lines of every attempt.
const reserveBytes = 64 * 1024;
const nothing = Buffer.alloc(0);

/**
 * @param options.from how many bytes the log has
 * @param options.limit how many it may have; when it is full it says so, and takes only the line about the end
 * @param options.cursor where the log stands, when it goes on in the middle of an attempt
 */
export function createBuildLog(options: {
  reports: Pick<BuildReports, 'appendLog'>;
  from: number;
  limit: number;
  cursor?: LogCursor | undefined;
  signal: AbortSignal;
}): BuildLog {
  const shipper = createLogShipper({
    from: options.from,
    send: (offset, data, signal, cursor) => options.reports.appendLog(offset, data, signal, cursor),
    signal: options.signal,
  });
  const streams = new Map<number, Stream>();
  let { command = -1, at_line_start: atLineStart = true, full = false } = options.cursor ?? {};
  let secrets: readonly string[] = [];
  let lineMask: Mask = createMask([]);
  let room = Math.max(0, options.limit - reserveBytes - options.from);
  let ended = false;
  let told = options.cursor?.told;

  const mark = (): LogMark | undefined => {
    if (command < 0) return undefined;
    const kept = [...streams].map(([number, { mask, received, onKept }]) => ({
      ...{ number, onKept, offset: received - mask.held() },
    }));
    const offsets = Object.fromEntries(kept.map(({ number, offset }) => [number, offset]));
    const cursor: LogCursor = { command, offsets, at_line_start: atLineStart, full, ...(told && { told }) };
    return {
      cursor: JSON.stringify(cursor),
      kept() {
        for (const { onKept, offset } of kept) onKept(offset);
      },
    };
  };
  const send = (shown: Buffer): Promise<void> => {
    if (shown.length > 0) atLineStart = shown.at(-1) === 0x0a;
    return shipper.write(shown, mark());
  };
  const show = async (shown: Buffer): Promise<void> => {
    if (ended || (shown.length === 0 && !full)) return;
    if (full) return await send(nothing);
    const kept = shown.subarray(0, room);
    room -= kept.length;
    full = kept.length < shown.length;
    if (!full) return await send(kept);
    const lineBreak = kept.at(-1) === 0x0a || (kept.length === 0 && atLineStart) ? '' : '\n';
    const note = `${lineBreak}ebb: the log is full; the build goes on, and what it prints from here is not kept\n`;
    await send(Buffer.concat([kept, Buffer.from(note)]));
  };
  const masked = (text: string) => Buffer.concat([lineMask.write(Buffer.from(text)), lineMask.end()]);
  const flush = () => show(Buffer.concat([...streams.values()].map(({ mask }) => mask.end())));
  // A line of Ebb's own begins on a line of its own, after whatever was held back of the output before.
  const line = async (text: string): Promise<void> => {
    void flush();
    await show(masked(`${atLineStart ? '' : '\n'}${text}\n`));
  };
  const open = (number: number, from: number, onKept: OnKept): CommandOutput => {
    const stream: Stream = { mask: createMask(secrets), received: from, onKept, isOver: false };
    streams.set(number, stream);
    return {
      from,
      write(chunk, end) {
        const shown = stream.mask.write(chunk);
        stream.received = end;
        return show(shown);
      },
      settle: () => show(stream.mask.end()),
      over() {
        void show(stream.mask.end());
        stream.isOver = true;
      },
    };
  };

  return {
    note: (text) => void line(`ebb: ${text}`),
    output: (chunk) => show(chunk),
    command(about, onKept) {
      void flush();
      for (const [number, { isOver }] of streams) if (isOver) streams.delete(number);
      command = about.number;
      const output = open(about.number, 0, onKept);
      void line(`ebb: ${about.phase}\n$ ${about.command}`);
      return output;
    },
    resume: (number, onKept) => open(number, options.cursor?.offsets[number] ?? 0, onKept),
    sync: () => shipper.sync(),
    mask(values) {
      secrets = values;
      lineMask = createMask(secrets);
    },
    async end({ outcome }) {
      const why = outcome.outcome === 'passed' || !outcome.reason ? '' : `: ${outcome.reason}`;
      const what = outcome.failed_command === undefined ? '' : ` (${outcome.failed_command})`;
      await flush();
      ended = true;
      const again = told === outcome.outcome;
      told = outcome.outcome;
      if (!again) await send(masked(`${atLineStart ? '' : '\n'}ebb: ${outcome.outcome}${why}${what}\n`));
      await shipper.end();
    },
  };
}
