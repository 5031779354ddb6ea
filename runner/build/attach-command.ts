import { PassThrough } from 'node:stream';
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

/** Starts a command of the VM, or takes up one that was started, and gives its output from an offset on. */
export function attachCommand(session: SshSession, attachment: Attachment): AttachedCommand {
  const { number, from, input = Buffer.alloc(0), onOutput, signal } = attachment;
  const ended = Promise.withResolvers<CommandEnd>();
  const readFrames = createFrameReader();
  let offset = from;
  let complaint = '';
  let told = false;

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
  const stdin = new PassThrough();
  const length = Buffer.alloc(4);
  length.writeUInt32BE(input.length);
  stdin.write(length);
  if (input.length > 0) stdin.write(input);
  const run = session.exec(`/usr/lib/ebb/step ${number} ${from}`, {
    stdin,
    onStdout: async (chunk) => {
      for (const frame of readFrames(chunk)) await take(frame);
    },
    onStderr: (chunk) => {
      complaint = (complaint + chunk.toString()).slice(-500);
    },
    signal,
  });
  const over = run.then(
    () => {
      ended.reject(lost(`A command was lost from sight in its VM. ${complaint}`.trim()));
      return told;
    },
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
