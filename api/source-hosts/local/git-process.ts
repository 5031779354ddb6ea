import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type ssh2 from 'ssh2';
import type { GitCommand } from './git-command.ts';
import { gitEnvironment } from './run-git.ts';

// Long, because a client may compute the pack of a large push without a word.
const silenceTimeoutMs = 600_000;
const killGraceMs = 5_000;
const maxErrorBytes = 64 * 1024;

// A build may fetch a commit that a later push took off its branch; shallow and partial clones save time. Maintenance
// stays in the foreground, so that no process outlives the server.
const configuration: Record<GitCommand['service'], string[]> = {
  'upload-pack': ['-c', 'uploadpack.allowAnySHA1InWant=true', '-c', 'uploadpack.allowFilter=true'],
  'receive-pack': ['-c', 'gc.autoDetach=false', '-c', 'maintenance.autoDetach=false'],
};

export interface GitProcessOptions {
  service: GitCommand['service'];
  folder: string;
  channel: ssh2.ServerChannel;
  searchPath: string;
  gitProtocol: string | undefined;
  signal: AbortSignal;
}

/**
 * Runs git's server side on an SSH channel. Resolves to the exit code and what git wrote to standard error, once the
 * process is gone; the channel stays open for both. Nothing said in either direction for ten minutes, or an abort,
 * ends the process.
 */
export async function serveGit(options: GitProcessOptions): Promise<{ code: number; stderr: Buffer }> {
  const { service, folder, channel, searchPath, gitProtocol, signal } = options;
  const child = spawn(
    'git',
    [...configuration[service], service, ...(service === 'upload-pack' ? ['--strict'] : []), folder],
    {
      env: { ...gitEnvironment(searchPath), ...(gitProtocol && { GIT_PROTOCOL: gitProtocol }) },
    },
  );
  const stop = stopper(child);
  signal.addEventListener('abort', stop);
  channel.once('close', stop);
  // Kept back until the end: ssh2 may lose track when both streams of a channel wait for the client's window.
  const errors: Buffer[] = [];
  let errorBytes = 0;
  child.stderr.on('data', (chunk: Buffer) => {
    if (errorBytes < maxErrorBytes) errors.push(chunk.subarray(0, maxErrorBytes - errorBytes));
    errorBytes += chunk.length;
  });
  const silence = setTimeout(stop, silenceTimeoutMs);
  child.stdout.on('data', () => silence.refresh());
  channel.on('data', () => silence.refresh());
  child.stdin.on('error', () => {}); // git may end before it has read everything.
  channel.pipe(child.stdin);
  child.stdout.pipe(channel, { end: false });
  if (signal.aborted) stop();
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exitCode) => resolve(exitCode ?? 128));
    });
    return { code, stderr: Buffer.concat(errors) };
  } finally {
    clearTimeout(silence);
    signal.removeEventListener('abort', stop);
    channel.off('close', stop);
    channel.unpipe(child.stdin);
    channel.resume();
  }
}

/** Asks the process to end, so that git removes its temporary files, and kills it when it does not. */
function stopper(child: ChildProcessWithoutNullStreams): () => void {
  let stopping = false;
  return () => {
    if (stopping) return;
    stopping = true;
    child.stdin.destroy();
    child.stdout.destroy();
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), killGraceMs);
    child.once('close', () => clearTimeout(kill));
  };
}
