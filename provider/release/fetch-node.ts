import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { NodeBuild } from './node-builds.ts';
import { runTool } from './run-tool.ts';
import { unfinishedFolder } from './unfinished.ts';

const downloadMilliseconds = 900_000;

export interface NodeFetch {
  /** Keeps the packages, about 50 MB each. */
  cacheDir: string;
  /** Takes the program. */
  folder: string;
  signal: AbortSignal;
  onProgress?: (step: string) => void;
}

export interface FetchedNode {
  program: string;
  /** File with the licenses of Node.js and of what it contains. The package for Windows has none. */
  license: string;
}

/**
 * Gets a build of Node.js from the npm registry, or from the cache when it is there. Either way its bytes are compared
 * with the integrity in the source: throws when the registry has others.
 */
export async function fetchNode(build: NodeBuild, order: NodeFetch): Promise<FetchedNode> {
  const { cacheDir, folder, signal, onProgress } = order;
  const kept = join(cacheDir, `${build.package}-${build.version}.tgz`);
  if ((await integrityOf(kept)) !== build.integrity) {
    onProgress?.(`fetching ${build.package} ${build.version}`);
    await download(build, kept, signal);
  }
  const target = join(folder, `${build.package}-${build.version}`);
  await mkdir(target, { recursive: true });
  const unused = ['include', 'share'].map((name) => `--exclude=package/${name}`);
  await runTool('tar', ['-xzf', kept, '-C', target, '--strip-components=1', ...unused], signal);
  return { program: join(target, build.program), license: join(target, 'LICENSE') };
}

async function download(build: NodeBuild, kept: string, signal: AbortSignal): Promise<void> {
  const temporary = await unfinishedFolder(dirname(kept));
  try {
    const words = ['pack', `${build.package}@${build.version}`, '--silent', '--pack-destination', temporary];
    await runTool('npm', words, signal, { timeoutMilliseconds: downloadMilliseconds });
    const [name] = await readdir(temporary);
    const fetched = join(temporary, String(name));
    if ((await integrityOf(fetched)) !== build.integrity)
      throw new Error(
        `The registry's ${build.package} ${build.version} is not the one that the source names.`,
      );
    await rename(fetched, kept);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** SHA-512 as package-lock.json writes it; undefined when there is no file. */
async function integrityOf(path: string): Promise<string | undefined> {
  try {
    const digest = createHash('sha512').update(await readFile(path));
    return `sha512-${digest.digest('base64')}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
