import type { Phase } from '../../contract/build.ts';
import type { BuildEnd } from './build-end.ts';
import type { BuildReports } from './control-plane.ts';
import { createLogShipper } from './log-shipper.ts';
import { createMask, type Mask } from './mask.ts';

/** The log of one attempt as the team reads it: Ebb's own lines begin with `ebb: `, commands with `$ `. */
export interface BuildLog {
  note(text: string): void;
  command(phase: Phase, command: string): void;
  output(chunk: Buffer): Promise<void>;
  /** From now on these values do not appear. */
  mask(secrets: readonly string[]): void;
  /** Says how the attempt ended and sends what is left. Rejects with what made the API refuse the log. */
  end(end: BuildEnd): Promise<void>;
}

// Kept free for Ebb's own last lines of every attempt.
const reserveBytes = 64 * 1024;

/**
 * @param options.from how many bytes the log has
 * @param options.limit how many it may have; when it is full it says so, and takes only the line about the end
 */
export function createBuildLog(options: {
  reports: BuildReports;
  from: number;
  limit: number;
  signal: AbortSignal;
}): BuildLog {
  const shipper = createLogShipper({
    from: options.from,
    send: (offset, data, signal) => options.reports.appendLog(offset, data, signal),
    signal: options.signal,
  });
  let mask: Mask = createMask([]);
  let atLineStart = true;
  let room = Math.max(0, options.limit - reserveBytes - options.from);
  let full = false;
  let ended = false;

  const send = (shown: Buffer): Promise<void> => {
    if (shown.length > 0) atLineStart = shown.at(-1) === 0x0a;
    return shipper.write(shown);
  };
  const put = async (held: Buffer, bytes: Buffer): Promise<void> => {
    const shown = Buffer.concat([held, mask.write(bytes)]);
    if (full || ended) return;
    const kept = shown.subarray(0, room);
    room -= kept.length;
    full = kept.length < shown.length;
    if (!full) return await send(kept);
    const lineBreak = kept.at(-1) === 0x0a || (kept.length === 0 && atLineStart) ? '' : '\n';
    const note = `${lineBreak}ebb: the log is full; the build goes on, and what it prints from here is not kept\n`;
    await send(Buffer.concat([kept, Buffer.from(note)]));
  };
  // A line of Ebb's own begins on a line of its own, after whatever was held back of the output before.
  const line = (text: string): Promise<void> => {
    const held = mask.end();
    const lineBreak = (held.length > 0 ? held.at(-1) === 0x0a : atLineStart) ? '' : '\n';
    return put(held, Buffer.from(`${lineBreak}${text}\n`));
  };

  return {
    note: (text) => void line(`ebb: ${text}`),
    command: (phase, command) => void line(`ebb: ${phase}\n$ ${command}`),
    output: (chunk) => put(Buffer.alloc(0), chunk),
    mask(secrets) {
      mask = createMask(secrets);
    },
    async end({ outcome }) {
      const why = outcome.outcome === 'passed' || !outcome.reason ? '' : `: ${outcome.reason}`;
      const what = outcome.failed_command === undefined ? '' : ` (${outcome.failed_command})`;
      await put(mask.end(), Buffer.alloc(0));
      ended = true;
      const text = mask.write(
        Buffer.from(`${atLineStart ? '' : '\n'}ebb: ${outcome.outcome}${why}${what}\n`),
      );
      await send(Buffer.concat([text, mask.end()]));
      await shipper.end();
    },
  };
}
