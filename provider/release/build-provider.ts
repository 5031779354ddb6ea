import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { providerVersion } from '../version.ts';
import { bundleProvider, makeExecutable } from './executable.ts';
import { addToMirror } from './mirror.ts';

export interface ProviderBuild {
  /** Root of the mirror that gets the provider; made when it is not there. */
  outDir: string;
  /** Keeps the last executable, 127 MB. */
  cacheDir: string;
  signal: AbortSignal;
  /** Told before each step that takes over a second. */
  onProgress?: (step: string) => void;
}

export interface BuiltProvider {
  /** The executable in the mirror. */
  executable: string;
  version: string;
  /** SHA-256 of what went in: the bundle and the Node.js version. */
  digest: string;
  /** Whether the executable was there already. */
  cached: boolean;
}

/** Builds the provider as one executable that needs no Node.js, unless it was built from the same sources before. */
export async function buildProvider(order: ProviderBuild): Promise<BuiltProvider> {
  const { outDir, cacheDir, signal, onProgress } = order;
  const bundle = await bundleProvider();
  signal.throwIfAborted();
  const platform = `${process.version} ${process.platform} ${process.arch} with code cache`;
  const digest = createHash('sha256').update(bundle).update(platform).digest('hex');
  const kept = join(cacheDir, `terraform-provider-ebb-${digest}`);
  const cached = await exists(kept);
  if (!cached) {
    onProgress?.('building the provider executable');
    await buildInto(kept, bundle, order);
    await forgetOthers(cacheDir, kept);
  }
  const executable = await addToMirror(outDir, kept);
  return { executable, version: providerVersion, digest, cached };
}

async function buildInto(
  target: string,
  bundle: Uint8Array,
  { cacheDir, signal }: ProviderBuild,
): Promise<void> {
  await mkdir(cacheDir, { recursive: true });
  const folder = await mkdtemp(join(cacheDir, 'building-'));
  try {
    await rename(await makeExecutable(bundle, folder, signal), target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function forgetOthers(cacheDir: string, kept: string): Promise<void> {
  const names = (await readdir(cacheDir)).filter((name) => name.startsWith('terraform-provider-ebb-'));
  const others = names.map((name) => join(cacheDir, name)).filter((path) => path !== kept);
  await Promise.all(others.map((path) => rm(path, { force: true })));
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
