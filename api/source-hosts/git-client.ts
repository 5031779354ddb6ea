import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { CloneSource } from './source-host.ts';

const run = promisify(execFile);

export interface ClientKey {
  file: string;
  /** OpenSSH line with a comment, as people paste it. */
  publicKey: string;
}

export interface ClientResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Real git and ssh clients for tests of source hosts, in a folder of their own, trusting pinned host keys only. */
export interface GitClient {
  folder: string;
  makeKey(type?: 'ed25519' | 'rsa' | 'ecdsa'): Promise<ClientKey>;
  /** Runs git with this key; resolves whatever the exit code. */
  git(source: CloneSource, key: ClientKey, args: string[]): Promise<ClientResult>;
  /** Runs ssh with this key and a command line of one's own. */
  ssh(source: CloneSource, key: ClientKey, command: string[]): Promise<ClientResult>;
  /** Clones, commits a file named after the message on `branch`, and pushes; throws when the push fails. */
  commitAndPush(source: CloneSource, key: ClientKey, message: string, branch?: string): Promise<string>;
  close(): Promise<void>;
}

export function cloneUrl({ user, host, port, path }: CloneSource): string {
  return `ssh://${user}@${host}:${port}${path}`;
}

export async function createGitClient(): Promise<GitClient> {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-git-client-'));
  let count = 0;
  const unique = (name: string) => join(folder, `${name}-${++count}`);

  const sshOptions = async (source: CloneSource, key: ClientKey): Promise<string[]> => {
    const knownHosts = unique('known_hosts');
    await writeFile(
      knownHosts,
      source.hostKeys.map((line) => `[${source.host}]:${source.port} ${line}\n`).join(''),
    );
    const settings = [
      `UserKnownHostsFile=${knownHosts}`,
      'GlobalKnownHostsFile=none',
      'BatchMode=yes',
      'IdentitiesOnly=yes',
      'IdentityAgent=none',
    ];
    return ['-F', 'none', '-i', key.file, ...settings.flatMap((setting) => ['-o', setting])];
  };
  const git = async (source: CloneSource, key: ClientKey, args: string[]) => {
    const ssh = ['ssh', ...(await sshOptions(source, key))].join(' ');
    return runClient('git', args, { ...environment(folder), GIT_SSH_COMMAND: ssh });
  };

  return {
    folder,
    async makeKey(type = 'ed25519') {
      const file = unique('key');
      await run('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', 'a comment', '-f', file]);
      return { file, publicKey: (await readFile(`${file}.pub`, 'utf8')).trim() };
    },
    git,
    async ssh(source, key, command) {
      const options = await sshOptions(source, key);
      const target = ['-p', String(source.port), `${source.user}@${source.host}`];
      return runClient('ssh', [...options, ...target, ...command], environment(folder));
    },
    async commitAndPush(source, key, message, branch = 'main') {
      const work = unique('work');
      await expectSuccess(git(source, key, ['clone', '--quiet', cloneUrl(source), work]));
      await expectSuccess(git(source, key, ['-C', work, 'checkout', '--quiet', '-B', branch]));
      await writeFile(join(work, message.replace(/\W+/g, '-')), message);
      await expectSuccess(git(source, key, ['-C', work, 'add', '.']));
      await expectSuccess(git(source, key, ['-C', work, 'commit', '--quiet', '-m', message]));
      await expectSuccess(
        git(source, key, ['-C', work, 'push', '--quiet', 'origin', `HEAD:refs/heads/${branch}`]),
      );
      const { stdout } = await expectSuccess(git(source, key, ['-C', work, 'rev-parse', 'HEAD']));
      return stdout.trim();
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

function environment(home: string): NodeJS.ProcessEnv {
  const author = { GIT_AUTHOR_NAME: 'Ada Example', GIT_AUTHOR_EMAIL: 'ada@example.com' };
  const committer = { GIT_COMMITTER_NAME: 'Ada Example', GIT_COMMITTER_EMAIL: 'ada@example.com' };
  return {
    PATH: process.env.PATH,
    HOME: home,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    ...author,
    ...committer,
  };
}

async function runClient(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<ClientResult> {
  try {
    const { stdout, stderr } = await run(command, args, { env, maxBuffer: 64 * 1024 * 1024 });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as ClientResult;
    if (typeof code !== 'number') throw error;
    return { code, stdout, stderr };
  }
}

async function expectSuccess(result: Promise<ClientResult>): Promise<ClientResult> {
  const { code, stderr } = await result;
  if (code !== 0) throw new Error(`A client that should succeed ended with ${code}: ${stderr}`);
  return result;
}
