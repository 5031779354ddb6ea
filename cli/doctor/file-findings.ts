import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isInMemory } from '../memory-folder.ts';
import type { Finding } from './finding.ts';

/** A file that holds a secret, and the variable that names it. */
export interface SecretFile {
  variable: string;
  path: string;
}

/** Files of secrets that others on the machine may read or change, and secrets that stand in the environment itself. */
export async function secretFindings(
  environment: NodeJS.ProcessEnv,
  variables: readonly string[],
  files: readonly SecretFile[] = [],
): Promise<Finding[]> {
  const named = variables.flatMap((name) => {
    const path = environment[`${name}_FILE`];
    return path ? [{ variable: `${name}_FILE`, path }] : [];
  });
  const inEnvironment = variables.filter((name) => environment[name]);
  const open = await Promise.all([...named, ...files].map(openFileFindings));
  return [...open.flat(), ...(inEnvironment.length > 0 ? [secretsInEnvironment(inEnvironment)] : [])];
}

async function openFileFindings({ variable, path }: SecretFile): Promise<Finding[]> {
  const found = await stat(path).catch(() => undefined);
  const mode = (found?.mode ?? 0) & 0o777;
  if (!found?.isFile() || (mode & 0o077) === 0) return [];
  return [
    {
      ...{ code: 'secret_file_open_to_others', severity: 'high' },
      what: `${path} (${variable}) has the mode ${mode.toString(8).padStart(4, '0')}.`,
      why: 'Other users of this machine, and what runs as them, can read the secret in it.',
      fix: `chmod 600 ${path}, and give it to the user that the process runs as. Where others may have read it, make a new secret.`,
    },
  ];
}

const secretsInEnvironment = (names: string[]): Finding => ({
  ...{ code: 'secrets_in_environment', severity: 'info' },
  what: `${names.join(', ')} ${names.length === 1 ? 'stands' : 'stand'} in the environment itself.`,
  why: 'Environments end up in service files, in what container platforms show, and in every child process.',
  fix: `Put ${names.length === 1 ? 'it' : 'each'} into a file of mode 0600 and name it in …_FILE, unless your platform keeps secrets there.`,
});

/** The folder of the API's own keys. */
export async function keysFolderFindings(folder: string): Promise<Finding[]> {
  const found = await stat(folder).catch(() => undefined);
  if (!found) return [];
  const mode = found.mode & 0o777;
  // Who may not look into it is told of its mode all the same.
  const names = await readdir(folder).catch((): string[] => []);
  const files = await Promise.all(names.map((name) => openKeyFile(join(folder, name))));
  return [
    ...((mode & 0o077) === 0 ? [] : [openFolder(folder, mode)]),
    ...files.flat(),
    ...(names.includes('first-admin.key') ? [firstAdminKeyLeft(join(folder, 'first-admin.key'))] : []),
    ...((await isInMemory(folder)) ? [] : [onDisk(folder)]),
  ];
}

/** Public halves may be read by everybody. */
async function openKeyFile(path: string): Promise<Finding[]> {
  const isPublic = path.endsWith('.pub') || path.endsWith('retired-receipt-keys.json');
  if (isPublic || !(await lstat(path)).isFile()) return [];
  return await openFileFindings({ variable: 'EBB_KEYS_DIR', path });
}

const openFolder = (folder: string, mode: number): Finding => ({
  ...{ code: 'keys_folder_open_to_others', severity: (mode & 0o022) === 0 ? 'medium' : 'high' },
  what: `${folder} (EBB_KEYS_DIR) has the mode ${mode.toString(8).padStart(4, '0')}.`,
  why: 'Other users of this machine see which keys there are, or can put their own in place of them.',
  fix: `chmod 700 ${folder}.`,
});

const onDisk = (folder: string): Finding => ({
  ...{ code: 'keys_on_disk', severity: 'info' },
  what: `The API's keys lie on a disk, in ${folder}.`,
  why: 'Who gets the disk can sign receipts and open logs and the credentials of connections. Who loses it without a backup loses hooks and logs.',
  fix: 'Encrypt the disk, and keep a backup of the folder apart from the backups of the database.',
});

export const firstAdminKeyLeft = (where: string): Finding => ({
  ...{ code: 'first_admin_key_left', severity: 'medium' },
  what: `The key of the first admin is still in ${where}.`,
  why: 'It may do everything in the first team, never ends by itself, and nobody misses it when it is copied.',
  fix: 'Make a key for each person (ebb api-key create), revoke this one (ebb api-key revoke), and remove it there.',
});
