import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const delayMs = 1_000;

// The flag works at run time for contexts that are made after it, so that nobody has to start the process with it.
setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');
let waiting: NodeJS.Timeout | undefined;

/**
 * Has the garbage collector run within a second or two, once for many calls. OpenSSL overwrites the copies of a private
 * key that its operations left when their objects are collected, and a process that idles might collect them never.
 */
export function collectSoon(): void {
  if (waiting) return;
  waiting = setTimeout(() => {
    waiting = undefined;
    collect();
  }, delayMs).unref();
}
