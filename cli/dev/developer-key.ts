import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** An SSH key that may read and push every repository of the built-in source host. */
export interface DeveloperKey {
  privateKeyPath: string;
  /** For git's GIT_SSH_COMMAND; the host key comes from `knownHostsPath`. */
  sshCommand: string;
  knownHostsPath: string;
}

/** Makes the key when it is not there, and lets it in. */
export async function createDeveloperKey(folder: string, authorizedKeys: string): Promise<DeveloperKey> {
  const privateKeyPath = join(folder, 'developer_ed25519');
  const knownHostsPath = join(folder, 'known_hosts');
  if (!existsSync(privateKeyPath)) {
    await promisify(execFile)('ssh-keygen', [
      '-q',
      '-t',
      'ed25519',
      '-N',
      '',
      '-C',
      'developer',
      '-f',
      privateKeyPath,
    ]);
  }
  const line = (await readFile(`${privateKeyPath}.pub`, 'utf8')).trim();
  const known = existsSync(authorizedKeys) ? await readFile(authorizedKeys, 'utf8') : '';
  if (!known.includes(line)) await writeFile(authorizedKeys, `${known}${line}\n`, { mode: 0o600 });
  const options = [
    'IdentitiesOnly=yes',
    'StrictHostKeyChecking=yes',
    `UserKnownHostsFile="${knownHostsPath}"`,
    'GlobalKnownHostsFile=/dev/null',
  ];
  return {
    privateKeyPath,
    knownHostsPath,
    sshCommand: `ssh -F /dev/null -i "${privateKeyPath}" ${options.map((option) => `-o ${option}`).join(' ')}`,
  };
}

/** Pins the source host's key for the developer. */
export async function pinHostKey(
  key: DeveloperKey,
  host: string,
  port: number,
  hostKey: string,
): Promise<void> {
  await writeFile(key.knownHostsPath, `[${host}]:${port} ${hostKey}\n`);
}
