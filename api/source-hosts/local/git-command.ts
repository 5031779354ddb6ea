import { parseRepositoryName } from './repository-name.ts';

export interface GitCommand {
  service: 'upload-pack' | 'receive-pack';
  repository: string;
}

const command = /^git[- ](upload-pack|receive-pack) (?:'([^'\\]+)'|([^\s'"\\]+))$/;

/**
 * Reads the command line that a git client sends over SSH, such as `git-upload-pack '/shop.git'`. Everything else is
 * undefined; nothing of it ever reaches a shell.
 */
export function parseGitCommand(line: string): GitCommand | undefined {
  const [, service, quoted, bare] = command.exec(line) ?? [];
  const repository = parseRepositoryName(quoted ?? bare ?? '');
  if (repository === undefined) return undefined;
  return { service: service === 'upload-pack' ? 'upload-pack' : 'receive-pack', repository };
}
