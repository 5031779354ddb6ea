import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleProvider, makeBlob, putIntoNode } from './executable.ts';
import { fetchNode } from './fetch-node.ts';
import { platformName } from './mirror.ts';
import { type ReleaseTarget, releaseTargets } from './node-builds.ts';
import { writeBill } from './release-bill.ts';
import { clearRelease, completeRelease, packExecutable } from './release-files.ts';
import { forgetUnfinished, unfinishedFolder } from './unfinished.ts';

export interface ReleaseOrder {
  /** Gets the files of the release, about 300 MB; those of an earlier one are removed. */
  outDir: string;
  /** Keeps what is fetched, about 300 MB. */
  cacheDir: string;
  /** Platforms to build for; all when absent. */
  targets?: readonly ReleaseTarget[];
  signal: AbortSignal;
  onProgress?: (step: string) => void;
}

/** Where packages of Node.js are kept. */
const nodeFolder = (cacheDir: string) => join(cacheDir, 'node');

/**
 * Builds the provider's release for all platforms. Killed at any point, another run makes it whole; run one at a time.
 * Throws on other machines than Linux on x64, which run the Node.js that prepares the executables.
 */
export async function buildRelease(order: ReleaseOrder): Promise<void> {
  const { outDir, cacheDir, targets = releaseTargets } = order;
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error('A release is built on Linux on x64.');
  await clearRelease(outDir);
  for (const parent of [cacheDir, nodeFolder(cacheDir)]) await forgetUnfinished(parent);
  const bundle = await bundleProvider();
  const files: string[] = [];
  for (const target of targets)
    files.push(await buildTarget(target, bundle, order), await writeBill(outDir, target));
  await completeRelease(outDir, files);
}

async function buildTarget(target: ReleaseTarget, bundle: Uint8Array, order: ReleaseOrder): Promise<string> {
  const { cacheDir, outDir, signal, onProgress } = order;
  const { system, processor } = target;
  const folder = await unfinishedFolder(cacheDir);
  try {
    const fetching = { folder, cacheDir: nodeFolder(cacheDir), signal, ...(onProgress && { onProgress }) };
    const node = await fetchNode(target.node, fetching);
    const builder = target.builder === target.node ? node : await fetchNode(target.builder, fetching);
    onProgress?.(`building for ${platformName(system, processor)} with Node.js ${target.node.version}`);
    const blob = await makeBlob(builder.program, bundle, folder, signal);
    const executable = join(folder, 'executable');
    await putIntoNode({ blob, node: node.program, system, executable }, signal);
    onProgress?.(`packing for ${platformName(system, processor)}`);
    return await packExecutable(outDir, { system, processor, executable, nodeLicense: builder.license });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
