import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A program of this folder that runs as a child. */
export interface Program<Ready> {
  pid: number;
  ready: Ready;
  /** Resolves when it is gone, however. */
  gone: Promise<unknown>;
  child: ChildProcess;
}

/** Starts a TypeScript file beside this one and waits for its first message. Rejects when it ends before. */
export async function startProgram<Ready>(
  file: string,
  argument: string,
  logFile: string,
): Promise<Program<Ready>> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [path, argument], {
    env: { PATH, HOME },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const log = createWriteStream(logFile, { flags: 'a' });
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  const gone = new Promise((resolve) => child.once('exit', resolve)).then(() => log.end());
  const ready = await Promise.race([
    new Promise<Ready>((resolve) => child.once('message', (message) => resolve(message as Ready))),
    gone.then(() => {
      throw new Error(`${file} ended before it was ready; see ${logFile}`);
    }),
  ]);
  return { pid: child.pid ?? 0, ready, gone, child };
}
