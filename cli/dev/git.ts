import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Runs git with nobody's own configuration; gives what it prints. Throws with what it said when it fails. */
export async function git(
  args: string[],
  options: { cwd?: string; sshCommand?: string } = {},
): Promise<string> {
  const { PATH = '' } = process.env;
  const who = { name: 'Ebb Demo', email: 'demo@ebb.invalid' };
  const { stdout } = await promisify(execFile)('git', args, {
    ...(options.cwd ? { cwd: options.cwd } : {}),
    timeout: 60_000,
    env: {
      PATH,
      HOME: '/nonexistent',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: who.name,
      GIT_AUTHOR_EMAIL: who.email,
      GIT_COMMITTER_NAME: who.name,
      GIT_COMMITTER_EMAIL: who.email,
      ...(options.sshCommand ? { GIT_SSH_COMMAND: options.sshCommand } : {}),
    },
  });
  return stdout.trim();
}
