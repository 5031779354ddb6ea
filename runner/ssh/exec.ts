import type { Readable } from 'node:stream';
import type ssh2 from 'ssh2';
import { SshError } from './ssh-error.ts';

/** Takes the next bytes; the remote side is held back until the promise resolves. */
export type OnOutput = (chunk: Buffer) => void | Promise<void>;

export interface ExecOptions {
  /** Sent as standard input, then end of file. A Readable is destroyed when the command ends. */
  stdin?: Buffer | Readable;
  /** Output without a taker is read and dropped. */
  onStdout?: OnOutput;
  onStderr?: OnOutput;
  /** Closes the channel. SSH has no way to be sure that the remote process is gone then. */
  signal?: AbortSignal;
}

/** How the remote process ended; one of both is set. `signal` is without `SIG`, such as `KILL`. */
export interface ExecResult {
  code: number | null;
  signal: string | null;
}

/**
 * Runs one command on an open ssh2 client. Resolves when the process has ended and every taker has taken all
 * output; rejects with an SshError, or with the error of a taker or of `stdin`. `lost` is a promise that rejects when
 * the connection goes.
 */
export async function exec(
  client: ssh2.Client,
  command: string,
  options: ExecOptions,
  lost: Promise<never>,
): Promise<ExecResult> {
  const { signal, stdin } = options;
  const stop = new AbortController();
  const aborted = rejectOnAbort(signal, stop.signal);
  let channel: ssh2.ClientChannel | undefined;
  try {
    if (signal?.aborted) return await aborted;
    const opening = openChannel(client, command);
    // An abort may win the race; the channel that opens later must still be closed.
    opening.then(
      (late) => stop.signal.aborted && release(late.channel),
      () => {},
    );
    const opened = await Promise.race([opening, aborted, lost]);
    channel = opened.channel;
    const outputs = [
      takeAll(channel, channel, options.onStdout),
      takeAll(channel.stderr, channel, options.onStderr),
    ];
    const fed = feed(channel, stdin);
    const whole = Promise.all([opened.closed, ...outputs]).then(([exit]) => exit);
    // What fails after this has returned has nobody to tell it to.
    whole.catch(() => {});
    return await Promise.race([whole, fed, aborted, lost]);
  } finally {
    stop.abort();
    if (channel !== undefined) release(channel);
    if (stdin !== undefined && !Buffer.isBuffer(stdin)) stdin.destroy();
  }
}

interface OpenedChannel {
  channel: ssh2.ClientChannel;
  /** At the end of the channel. */
  closed: Promise<ExecResult>;
}

/** The end is listened for at once: the status of a quick command comes with the very packet that opens the channel. */
function openChannel(client: ssh2.Client, command: string): Promise<OpenedChannel> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) =>
      reject(new SshError('connection_lost', 'The SSH server did not start the command.', { cause }));
    try {
      client.exec(command, (error, channel) => {
        if (error) return fail(error);
        const closed = waitForEnd(channel);
        closed.catch(() => {});
        resolve({ channel, closed });
      });
    } catch (error) {
      fail(error); // ssh2 throws when the socket is gone already.
    }
  });
}

function waitForEnd(channel: ssh2.ClientChannel): Promise<ExecResult> {
  let exit: ExecResult | undefined;
  channel.on('exit', (code: number | null, signal?: string) => {
    exit = { code: code ?? null, signal: code === null ? (signal?.replace(/^SIG/, '') ?? null) : null };
  });
  return new Promise((resolve, reject) => {
    channel.on('close', () => {
      if (exit !== undefined) resolve(exit);
      else
        reject(new SshError('connection_lost', 'The SSH server closed the channel without an exit status.'));
    });
  });
}

/** Both streams must be read even when nobody wants them: they share one window, and a full one stalls both. */
function takeAll(stream: Readable, channel: ssh2.ClientChannel, take: OnOutput | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    let taken: Promise<void> | undefined;
    const fail = (error: unknown) => {
      stream.removeAllListeners('data');
      release(channel);
      reject(error);
    };
    stream.on('data', (chunk: Buffer) => {
      try {
        taken = take?.(chunk) ?? undefined;
        if (taken === undefined) return;
        stream.pause();
        taken.then(() => stream.resume(), fail);
      } catch (error) {
        fail(error);
      }
    });
    // The end may come while the last chunk is being taken.
    stream.on('end', () => (taken === undefined ? resolve() : taken.then(resolve, fail)));
    stream.on('error', fail);
  });
}

/** Settles only when the input itself fails: a command may end without having read it. */
function feed(channel: ssh2.ClientChannel, stdin: Buffer | Readable | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (stdin === undefined || Buffer.isBuffer(stdin)) {
      channel.end(stdin);
      return;
    }
    stdin.once('error', reject);
    stdin.pipe(channel);
  });
}

function rejectOnAbort(signal: AbortSignal | undefined, stop: AbortSignal): Promise<never> {
  const aborted = new Promise<never>((_, reject) => {
    const abort = () =>
      reject(new SshError('aborted', 'The command was aborted by its caller.', { cause: signal?.reason }));
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true, signal: stop });
  });
  aborted.catch(() => {});
  return aborted;
}

function release(channel: ssh2.ClientChannel): void {
  channel.removeAllListeners('data').resume();
  channel.stderr.removeAllListeners('data').resume();
  channel.close();
}
