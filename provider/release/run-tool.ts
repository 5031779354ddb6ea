import { execFile } from 'node:child_process';

const usualTimeoutMilliseconds = 180_000;

export interface ToolOptions {
  /** Folder that the program runs in. */
  cwd?: string;
  timeoutMilliseconds?: number;
}

/**
 * Runs a program to its end. Throws with what it printed when it fails, takes longer than the timeout (three minutes
 * unless told) or is aborted.
 */
export function runTool(
  program: string,
  words: string[],
  signal: AbortSignal,
  { cwd, timeoutMilliseconds = usualTimeoutMilliseconds }: ToolOptions = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(program, words, { signal, cwd, timeout: timeoutMilliseconds }, (error, stdout, stderr) => {
      if (!error) return resolve();
      if (signal.aborted) return reject(signal.reason);
      reject(new Error(`${program} ${words.join(' ')} failed: ${error.message}\n${stdout}${stderr}`));
    });
  });
}
