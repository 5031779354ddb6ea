import { execFile } from 'node:child_process';

const timeoutMilliseconds = 180_000;

/** Runs a program to its end. Throws with what it printed when it fails, takes over three minutes or is aborted. */
export function runTool(program: string, words: string[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(program, words, { signal, timeout: timeoutMilliseconds }, (error, stdout, stderr) => {
      if (!error) return resolve();
      if (signal.aborted) return reject(signal.reason);
      reject(new Error(`${program} ${words.join(' ')} failed: ${error.message}\n${stdout}${stderr}`));
    });
  });
}
