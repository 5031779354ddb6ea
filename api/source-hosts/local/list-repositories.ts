import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseRepositoryName } from './repository-name.ts';

/** Names of the repositories below a folder, those in a folder of their own included. */
export async function listRepositories(repositories: string): Promise<string[]> {
  const names: string[] = [];
  for (const entry of await readdir(repositories, { withFileTypes: true })) {
    if (!entry.isDirectory() && !entry.isSymbolicLink()) continue;
    if (entry.name.endsWith('.git')) names.push(entry.name);
    else if (entry.isDirectory()) {
      const inner = await readdir(join(repositories, entry.name));
      names.push(...inner.filter((name) => name.endsWith('.git')).map((name) => `${entry.name}/${name}`));
    }
  }
  return names.map(parseRepositoryName).filter((name) => name !== undefined);
}
