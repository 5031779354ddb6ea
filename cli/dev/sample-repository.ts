import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { git } from './git.ts';

const sample = fileURLToPath(new URL('../../examples/quickstart/sample/', import.meta.url));

const developer = { name: 'Ebb Developer', email: 'developer@ebb.invalid' };

/** A clone of the sample repository that commits and pushes like a developer. */
export interface SampleRepository {
  /** Writes or changes a file. */
  edit(path: string, change: (content: string) => string): Promise<void>;
  /** Commits all. */
  commit(message: string): Promise<void>;
  /** Commits all and pushes; gives the commit's id. */
  push(message: string): Promise<string>;
}

/**
 * Lays the sample out in `folder` as a clone of `url`, nothing committed yet, that plain `git push` knows the way from.
 * In a folder that is there already only the way is set anew.
 */
export async function createSampleRepository(options: {
  folder: string;
  url: string;
  sshCommand: string;
}): Promise<SampleRepository> {
  const { folder: cwd, sshCommand } = options;
  if (!existsSync(join(cwd, '.git'))) {
    await mkdir(cwd, { recursive: true });
    await cp(sample, cwd, { recursive: true });
    await git(['init', '--quiet', '--initial-branch=main'], { cwd });
  }
  // Whoever tries it may have no name in git yet.
  for (const [name, value] of Object.entries(developer))
    await git(['config', `user.${name}`, value], { cwd });
  await git(['config', 'remote.origin.url', options.url], { cwd });
  await git(['config', 'remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*'], { cwd });
  await git(['config', 'core.sshCommand', sshCommand], { cwd });
  const commit = async (message: string) => {
    await git(['add', '--all'], { cwd });
    await git(['commit', '--quiet', '--message', message], { cwd });
  };
  return {
    async edit(path, change) {
      const target = join(cwd, path);
      await writeFile(target, change(await readFile(target, 'utf8')));
    },
    commit,
    async push(message) {
      await commit(message);
      await git(['push', '--quiet', 'origin', 'main'], { cwd });
      return await git(['rev-parse', 'HEAD'], { cwd });
    },
  };
}
