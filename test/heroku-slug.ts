import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdir, readFile, realpath, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const leftOut = new Set(['node_modules', '.ebb', '.git', 'coverage', 'docs', 'examples', 'test']);

/**
 * What Heroku runs: the repository, and of the packages only those that stay when the Node.js buildpack has pruned the
 * ones for development. Gives the commands of the Procfile by process type.
 */
export async function createSlug(folder: string): Promise<Record<string, string>> {
  await cp(root, folder, {
    recursive: true,
    filter: (source) =>
      dirname(join(source)) !== dirname(join(root, 'x')) || !leftOut.has(source.slice(root.length)),
  });
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>;
  };
  const kept = Object.entries(lock.packages).filter(
    ([path, { dev }]) => path.lastIndexOf('node_modules/') === 0 && !dev,
  );
  for (const [path] of kept) await linkPackage(path, folder);
  await mkdir(join(folder, 'node_modules', '.bin'), { recursive: true });
  await symlink(await realpath(process.execPath), join(folder, 'node_modules', '.bin', 'node'));
  return parseProcfile(await readFile(join(folder, 'Procfile'), 'utf8'));
}

/** Packages of other platforms are in the lock file and not on the disk. */
async function linkPackage(path: string, folder: string): Promise<void> {
  const source = await realpath(join(root, path)).catch(() => undefined);
  if (source === undefined) return;
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await symlink(source, join(folder, path));
}

/** https://devcenter.heroku.com/articles/procfile */
function parseProcfile(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return Object.fromEntries(
    lines.map((line) => {
      const [, type = '', command = ''] = /^([A-Za-z0-9_-]+):\s*(.+)$/.exec(line) ?? [];
      return [type, command];
    }),
  );
}

/** A process as a dyno runs it: by a shell, in the slug, with the app's variables and nothing else of ours. */
export interface Dyno {
  /** All that it wrote so far. */
  output(): string;
  /** Resolves when it wrote a text; rejects when it ends before, or after a minute, as Heroku ends it. */
  wrote(text: string): Promise<void>;
  /** Resolves with the exit code. */
  ended: Promise<number | null>;
  /** Sends a signal to every process of the dyno. */
  kill(signal: NodeJS.Signals): void;
}

export function startDyno(folder: string, command: string, variables: Record<string, string>): Dyno {
  const child = spawn('bash', ['-c', command], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? '', HOME: folder, LANG: 'C.UTF-8', ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    output: () => output,
    wrote: (text) => untilWritten(child, ended, () => output, text),
    ended,
    kill(signal) {
      if (child.exitCode === null && child.pid) process.kill(-child.pid, signal);
    },
  };
}

async function untilWritten(
  child: ChildProcess,
  ended: Promise<unknown>,
  output: () => string,
  text: string,
): Promise<void> {
  const late = AbortSignal.timeout(60_000);
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`${why} before it wrote ${text}:\n${output()}`));
    const look = () => output().includes(text) && resolve();
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', look);
    late.addEventListener('abort', () => fail('A minute passed'), { once: true });
    ended.then(() => fail('It ended'));
    look();
  });
}
