import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { git } from './git.ts';

/** Makes a bare repository of the built-in source host, when it is not there; gives its path. */
export async function createRepository(repositories: string, name: string): Promise<string> {
  const path = join(repositories, `${name}.git`);
  if (!existsSync(path)) {
    await mkdir(repositories, { recursive: true, mode: 0o700 });
    await git(['init', '--quiet', '--bare', '--initial-branch=main', path]);
  }
  return path;
}
