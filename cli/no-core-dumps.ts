import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/**
 * Lets this process and its children leave no core dump, which would put keys on a disk. Node.js cannot set the limit of
 * its own process, so util-linux's prlimit does; where there is none, a line says so.
 */
export async function forbidCoreDumps(): Promise<void> {
  await limitCoreDumps().catch((error: Error) =>
    console.error(`ebb: core dumps could not be forbidden; run it under "ulimit -c 0". ${error.message}`),
  );
}

/** The same, for who wants to know: throws when it cannot be done. */
export async function limitCoreDumps(): Promise<void> {
  await promisify(execFile)('prlimit', ['--pid', String(process.pid), '--core=0:0'], { timeout: 5_000 });
}
