import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { git } from '../dev/git.ts';

const sample = fileURLToPath(new URL('../../examples/quickstart/sample/', import.meta.url));

/** A clone of the sample repository that commits and pushes like a developer. */
export interface SampleRepository {
  /** Writes or changes a file. */
  edit(path: string, change: (content: string) => string): Promise<void>;
  /** Commits all and pushes; gives the commit's id. */
  push(message: string): Promise<string>;
}

export async function createSampleRepository(options: {
  folder: string;
  url: string;
  sshCommand: string;
}): Promise<SampleRepository> {
  const { folder: cwd, sshCommand } = options;
  await mkdir(cwd, { recursive: true });
  await cp(sample, cwd, { recursive: true });
  await git(['init', '--quiet', '--initial-branch=main'], { cwd });
  await git(['remote', 'add', 'origin', options.url], { cwd });
  return {
    async edit(path, change) {
      const target = join(cwd, path);
      await writeFile(target, change(await readFile(target, 'utf8')));
    },
    async push(message) {
      await git(['add', '--all'], { cwd });
      await git(['commit', '--quiet', '--message', message], { cwd });
      await git(['push', '--quiet', 'origin', 'main'], { cwd, sshCommand });
      return await git(['rev-parse', 'HEAD'], { cwd });
    },
  };
}
