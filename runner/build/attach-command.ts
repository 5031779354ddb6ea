import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { SshSession } from '../ssh/connection.ts';
import { lost } from './build-end.ts';
import { createFrameReader, type Frame } from './frames.ts';

/** How a command ended; one of `code` and `signal` is set. */
export interface CommandEnd {
  code: number | null;
  signal: number | null;
  /** Whether something that it left running has its output still. */
  lingers: boolean;
}

/** A command of a VM that goes on whether this is there or not. */
export interface AttachedCommand {
  /** When all output up to the command's end is taken. Rejects with SshError, BuildEnd, or what `onOutput` threw. */
  ended: Promise<CommandEnd>;
  /** True when there is nothing more to come, false when it is lost from sight here. Rejects never. */
  over: Promise<boolean>;
  /** Output up to this offset need not be given again, to nobody. */
  acknowledge(offset: number): void;
}

export interface Attachment {
  /** Which of the build's commands; it is started once, however often this is called. */
  number: number;
  /** Offset of the output that is wanted first. */
  from: number;
  /** What the image's `run-step` reads; wiped in the end. Without it the command is not started. */
  input?: Buffer;
  /** `end` is the offset behind the chunk. The VM is held back until it resolves. */
  onOutput(chunk: Buffer, end: number): Promise<void>;
  signal: AbortSignal;
}

// Longer than it takes to be told by a heartbeat that another runner has the build: only who has it comes back.
const backAfterMs = 2_000;
// One after the other, without output in between.
const mostReturns = 5;
// What `step` ends with when the command cannot be reached.
const unreachable = 125;

/**
 * Starts a command of the VM, or takes up one that was started, and gives its output from an offset on. Who is thrown off,
 * because another one asks for the command, comes back after a while and goes on where it was, until `signal` aborts.
 */
export function attachCommand(session: SshSession, attachment: Attachment): AttachedCommand {
  const { number, from, input = Buffer.alloc(0), onOutput, signal } = attachment;
  const ended = Promise.withResolvers<CommandEnd>();
  let offset = from;
  let acknowledged = 0;
  let told = false;
  let stdin = new PassThrough();

  const take = async ({ kind, payload }: Frame) => {
    if (kind === 'f') offset = Number(payload.toString());
    if (kind === 'e') {
      ended.resolve(readEnd(payload.toString()));
      told = true;
    }
    if (kind !== 'o') return;
    offset += payload.length;
    await onOutput(payload, offset);
  };
  const attachOnce = async () => {
    const readFrames = createFrameReader();
    let complaint = '';
    stdin = new PassThrough();
    const length = Buffer.alloc(4);
    length.writeUInt32BE(input.length);
    stdin.write(length);
    if (input.length > 0) stdin.write(input);
    if (acknowledged > 0) stdin.write(`${acknowledged}\n`);
    const { code } = await session.exec(`/usr/lib/ebb/step ${number} ${offset}`, {
      stdin,
      onStdout: async (chunk) => {
        for (const frame of readFrames(chunk)) await take(frame);
      },
      onStderr: (chunk) => {
        complaint = (complaint + chunk.toString()).slice(-500);
      },
      signal,
    });
    return { code, complaint };
  };
  const attach = async (): Promise<void> => {
    for (let returns = 0; ; returns += 1) {
      const begun = offset;
      const { code, complaint } = await attachOnce();
      if (told) return;
      if (offset > begun) returns = 0;
      if (code === unreachable || returns === mostReturns)
        throw lost(`A command was lost from sight in its VM. ${complaint}`.trim());
      await delay(backAfterMs, undefined, { signal });
    }
  };
  const over = attach().then(
    () => true,
    (error) => {
      ended.reject(error);
      return false;
    },
  );
  ended.promise.catch(() => {}).finally(() => input.fill(0));
  return {
    ended: ended.promise,
    over,
    acknowledge(upTo) {
      acknowledged = upTo;
      if (!stdin.destroyed) stdin.write(`${upTo}\n`);
    },
  };
}

function readEnd(text: string): CommandEnd {
  const [, how, number, lingers] = /^(exit|signal) (\d+)( lingers)?$/.exec(text) ?? [];
  if (number === undefined) throw lost(`The VM told an end of a command that is none: ${text.slice(0, 100)}`);
  const value = Number(number);
  return {
    code: how === 'exit' ? value : null,
    signal: how === 'signal' ? value : null,
    lingers: lingers !== undefined,
  };
}
