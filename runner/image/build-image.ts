import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkBuildTools } from './build-tools.ts';
import { digestOf } from './digest.ts';
import type { Recipe } from './recipes.ts';
import { run } from './run.ts';

/** A kernel and an initramfs, complete in memory once booted; the same for every machine. */
export interface Image {
  name: string;
  /** SHA-256 in hexadecimal over the recipe, the guest's files and the builder. */
  digest: string;
  kernelPath: string;
  initramfsPath: string;
  /** What firmware starts a kernel with, and what it calls it: for disks. */
  stubPath: string;
  osReleasePath: string;
  /** A line for each package of the image: name and version. */
  packagesPath: string;
  /** What the image wants on the kernel's command line; the driver adds the console and `ebb.deadman=<seconds>`. */
  commandLine: string;
}

export interface BuildImageOptions {
  recipe: Recipe;
  cacheDir: string;
  signal: AbortSignal;
  onProgress?: (line: string) => void;
}

const here = dirname(fileURLToPath(import.meta.url));
const guestFiles = join(here, 'files');
const scriptPath = join(here, 'assemble.sh');
const timeLimitMs = 20 * 60_000;

/**
 * Gives the image of a recipe, out of the cache or newly made of Debian packages.
 *
 * A cached image needs neither network nor tools. Builds at the same time do not disturb each other: each works in a
 * folder of its own and the first to finish is kept. What one that was killed left goes with a later one.
 *
 * Throws `ImageError`: `tools_missing`, `build_failed`, `aborted`.
 */
export async function buildImage({
  recipe,
  cacheDir,
  signal,
  onProgress,
}: BuildImageOptions): Promise<Image> {
  const script = await readFile(scriptPath, 'utf8');
  const digest = await digestOf({ recipe, script, folder: guestFiles });
  const image = imageIn(join(cacheDir, digest), recipe, digest);
  if (await isComplete(cacheDir, digest)) return image;

  await checkBuildTools({ recipe });
  await removeAbandoned(cacheDir);
  const work = join(cacheDir, `.${digest}-${randomUUID()}`);
  await mkdir(work, { recursive: true });
  try {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(timeLimitMs)]);
    await assemble({ recipe, script, work, signal: limited, onProgress: onProgress ?? (() => {}) });
    await writeFile(join(work, 'complete'), `${recipe.name}\n`);
    await keep(work, cacheDir, digest);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return image;
}

/** What builds that were killed left: none works longer than its limit. */
async function removeAbandoned(cacheDir: string): Promise<void> {
  const names = await readdir(cacheDir).catch(() => []);
  for (const name of names.filter((each) => /^\.[0-9a-f]{64}-/.test(each))) {
    const folder = join(cacheDir, name);
    const touched = (await stat(folder).catch(() => undefined))?.mtimeMs ?? Date.now();
    if (Date.now() - touched > 2 * timeLimitMs)
      await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** When the image of a recipe in the cache was built; undefined when it is not there. */
export async function imageBuiltAt(recipe: Recipe, cacheDir: string): Promise<Date | undefined> {
  const script = await readFile(scriptPath, 'utf8');
  const digest = await digestOf({ recipe, script, folder: guestFiles });
  const found = await stat(join(cacheDir, digest, 'complete')).catch(() => undefined);
  return found?.mtime;
}

function imageIn(folder: string, recipe: Recipe, digest: string): Image {
  return {
    name: recipe.name,
    digest,
    kernelPath: join(folder, 'kernel'),
    initramfsPath: join(folder, 'initramfs'),
    stubPath: join(folder, 'stub'),
    osReleasePath: join(folder, 'os-release'),
    packagesPath: join(folder, 'packages'),
    commandLine: recipe.commandLine,
  };
}

async function isComplete(cacheDir: string, digest: string): Promise<boolean> {
  return readFile(join(cacheDir, digest, 'complete')).then(
    () => true,
    () => false,
  );
}

interface Assembly {
  recipe: Recipe;
  script: string;
  work: string;
  signal: AbortSignal;
  onProgress: (line: string) => void;
}

async function assemble({ recipe, script, work, signal, onProgress }: Assembly): Promise<void> {
  const raw = join(work, 'initramfs');
  const environment = {
    EBB_ASSEMBLE: script,
    EBB_KERNEL_PACKAGE: recipe.kernelPackage,
    EBB_STUB_PACKAGE: recipe.stubPackage,
    // Of everything that writes today's date into what it makes.
    SOURCE_DATE_EPOCH: '1700000000',
    EBB_MODULES: recipe.modules.join(' '),
  };
  await run('mmdebstrap', mmdebstrapArguments(recipe, work), { signal, onProgress, environment });
  if (recipe.compression === 'lz4') {
    // The kernel reads only lz4's legacy format.
    await run('lz4', ['-l', '-9', '--rm', '-q', '-f', raw, `${raw}.lz4`], { signal, onProgress });
    await rename(`${raw}.lz4`, raw);
  }
}

function mmdebstrapArguments(recipe: Recipe, work: string): string[] {
  const quoted = (path: string) => `'${path.replaceAll("'", `'\\''`)}'`;
  const unwanted = ['man', 'doc', 'info', 'locale', 'lintian'].map(
    (name) => `path-exclude=/usr/share/${name}/*`,
  );
  return [
    '--mode=auto',
    '--variant=minbase',
    '--format=null',
    `--architectures=${recipe.architecture}`,
    `--include=${recipe.packages.join(',')}`,
    ...unwanted.map((option) => `--dpkgopt=${option}`),
    '--customize-hook=mkdir "$1/ebb-files"',
    `--customize-hook=sync-in ${quoted(guestFiles)} /ebb-files`,
    // By the environment, because mmdebstrap prints every hook in full.
    '--customize-hook=sh -c "$EBB_ASSEMBLE" assemble "$1"',
    ...['kernel', 'stub', 'os-release', 'packages'].map(
      (name) => `--customize-hook=download /ebb-image/${name} ${quoted(join(work, name))}`,
    ),
    `--customize-hook=download /ebb-image/initramfs.cpio ${quoted(join(work, 'initramfs'))}`,
    recipe.suite,
    '/dev/null',
    ...recipe.sources,
  ];
}

async function keep(work: string, cacheDir: string, digest: string): Promise<void> {
  try {
    await rename(work, join(cacheDir, digest));
  } catch (error) {
    // Somebody else was first, with an image of the same digest.
    if (!(await isComplete(cacheDir, digest))) throw error;
  }
}
