import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CliError } from '../cli-error.ts';

const entry = fileURLToPath(new URL('../ebb.ts', import.meta.url));

const insistAfterMs = 3_000;
const killAfterMs = 20_000;

/** An `ebb` command that runs as a child, speaks over IPC when it is ready, and logs to a file. */
export interface EbbProcess<Ready> {
  ready: Ready;
  pid: number;
  /** Resolves when the process is gone, however. */
  gone: Promise<void>;
  /** Asks it to finish what is under way, after 3 s to end now, and kills it after 20 s. */
  stop(): Promise<void>;
}

/**
 * Starts `ebb COMMAND` and waits for its first message. Only what `environment` names is in its environment, beside
 * PATH, HOME and the locale. Throws a CliError with the end of its log when it ends before.
 */
export async function startEbbProcess<Ready>(options: {
  command: string;
  environment: Record<string, string>;
  logFile: string;
  /** Of Node.js, for this process alone. */
  nodeOptions?: string[];
  signal: AbortSignal;
}): Promise<EbbProcess<Ready>> {
  const { PATH = '', HOME = '', LANG = 'C.UTF-8' } = process.env;
  const child = spawn(process.execPath, [...(options.nodeOptions ?? []), entry, options.command], {
    env: { PATH, HOME, LANG, ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // Ctrl-C at the terminal reaches this process only, which then ends its children in order.
    detached: true,
  });
  const tail = keepLog(child, options.logFile);
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stop = async () => {
    child.kill('SIGTERM');
    // The second request makes a runner give its builds back and end their VMs; a killed one could not.
    const insist = setTimeout(() => child.kill('SIGINT'), insistAfterMs);
    const force = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    await gone;
    clearTimeout(insist);
    clearTimeout(force);
  };
  const abort = () => void child.kill('SIGKILL');
  options.signal.addEventListener('abort', abort, { once: true });
  try {
    const ready = await Promise.race([
      new Promise<Ready>((resolve) => child.once('message', (message) => resolve(message as Ready))),
      gone.then(() => {
        throw new CliError(`ebb ${options.command} ended before it was ready:\n${tail()}`);
      }),
    ]);
    return { ready, pid: child.pid ?? 0, gone, stop };
  } finally {
    options.signal.removeEventListener('abort', abort);
  }
}

function keepLog(child: ChildProcess, path: string): () => string {
  const file = createWriteStream(path, { flags: 'a', mode: 0o600 });
  let tail = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      file.write(chunk);
      tail = (tail + chunk.toString()).slice(-4_000);
    });
  }
  child.once('close', () => file.end());
  return () => tail.trim();
}
