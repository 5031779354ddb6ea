import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** With these a Node.js process writes a snapshot, whole strings in it, when it gets SIGUSR2. */
export const snapshotOptions = (folder: string) => [
  '--heapsnapshot-signal=SIGUSR2',
  `--diagnostic-dir=${folder}`,
  '--heap-snapshot-string-limit=1000000',
];

/** Everything that a process, started with `snapshotOptions`, can still reach, collected first; the file is removed. */
export async function takeHeapSnapshot(pid: number, folder: string): Promise<Buffer> {
  process.kill(pid, 'SIGUSR2');
  const signal = AbortSignal.timeout(120_000);
  for (;;) {
    const name = (await readdir(folder)).find(
      (file) => file.endsWith('.heapsnapshot') && file.includes(`.${pid}.`),
    );
    const snapshot = name ? await readFile(join(folder, name)) : Buffer.alloc(0);
    // The strings are its last member; a file that is still written ends elsewhere.
    if (name && snapshot.subarray(-100).toString().trimEnd().endsWith(']}')) {
      await rm(join(folder, name));
      return snapshot;
    }
    await delay(200, undefined, { signal });
  }
}
