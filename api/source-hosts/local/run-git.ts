import { spawn } from 'node:child_process';

/** Output beyond this is read and dropped. */
const maxOutputBytes = 64 * 1024 * 1024;

export interface GitResult {
  code: number | null;
  stdout: Buffer;
  stderr: string;
}

/**
 * The whole environment of a git process: nothing of ours, and no configuration but the repository's own.
 * `searchPath` is where git is found, as in PATH.
 */
export function gitEnvironment(searchPath: string): Record<string, string> {
  return { PATH: searchPath, LC_ALL: 'C', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' };
}

/** Runs git to its end and resolves whatever its exit code; throws when git cannot be started or on abort. */
export function runGit(
  args: string[],
  {
    searchPath,
    signal,
    maxBytes = maxOutputBytes,
  }: { searchPath: string; signal: AbortSignal; maxBytes?: number },
): Promise<GitResult> {
  return new Promise((resolve, reject) => {
    const child = spawn('git', args, {
      env: gitEnvironment(searchPath),
      stdio: ['ignore', 'pipe', 'pipe'],
      signal,
    });
    const stdout = collect(child.stdout, maxBytes);
    const stderr = collect(child.stderr, 4096);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout: stdout(), stderr: stderr().toString().trim() }));
  });
}

function collect(stream: NodeJS.ReadableStream, maxBytes: number): () => Buffer {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    if (bytes < maxBytes) chunks.push(chunk.subarray(0, maxBytes - bytes));
    bytes += chunk.length;
  });
  return () => Buffer.concat(chunks);
}
