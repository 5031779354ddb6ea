import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { systemPath } from './build-tools.ts';
import { ImageError } from './image-error.ts';

export interface RunOptions {
  signal: AbortSignal;
  /** Gets each line that the program prints on standard error. */
  onProgress: (line: string) => void;
  environment?: Record<string, string>;
}

const keptLines = 15;

/** Runs a program to its end. Throws `ImageError`: `build_failed` with the program's last lines, `aborted`. */
export async function run(program: string, args: string[], options: RunOptions): Promise<void> {
  const { signal, onProgress, environment = {} } = options;
  if (signal.aborted) throw new ImageError('aborted', `${program} was not started`, { cause: signal.reason });
  const child = spawn(program, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: systemPath(), HOME: '/', LC_ALL: 'C.UTF-8', ...environment },
    // mmdebstrap ends its helpers and removes what it has unpacked.
    signal,
    killSignal: 'SIGTERM',
  });
  const last: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    onProgress(line);
    last.push(line);
    if (last.length > keptLines) last.shift();
  });
  const ended = await new Promise<string | undefined>((resolve) => {
    let problem: string | undefined;
    child.once('error', (error) => {
      problem = error.message;
      if (child.pid === undefined) resolve(problem);
    });
    child.once('close', (code, killedBy) => {
      resolve(code === 0 ? undefined : (problem ?? `ended with ${killedBy ?? code}`));
    });
  });
  if (ended === undefined) return;
  if (signal.aborted) throw new ImageError('aborted', `${program} was stopped`, { cause: signal.reason });
  const hint = last.some((line) => line.includes('unable to pick chroot mode'))
    ? ['Run it as root, or where users may make namespaces (sysctl kernel.unprivileged_userns_clone=1).']
    : [];
  throw new ImageError('build_failed', [`${program} ${ended}:`, ...last, ...hint].join('\n'));
}
