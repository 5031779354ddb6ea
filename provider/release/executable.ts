import { chmod, copyFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { contractAsData } from './contract-as-data.ts';
import { runTool } from './run-tool.ts';
import { sign, unsign } from './signature.ts';

const mainFile = fileURLToPath(new URL('../main.ts', import.meta.url));

/** Marks the place in the node binary that says whether a program is inside. Node's constant. */
const sentinelFuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** What the provider's bundle has code of: each needs its license in the archives. */
export const bundledPackages = ['@msgpack/msgpack'];

/**
 * The provider and all it imports as one CommonJS file, which is what a single executable can hold. Throws when it has
 * code of a package that is not among {@link bundledPackages}.
 */
export async function bundleProvider(): Promise<Uint8Array> {
  const { outputFiles, metafile } = await build({
    entryPoints: [mainFile],
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'silent',
    mainFields: ['module', 'main'],
    plugins: [contractAsData],
  });
  const [file] = outputFiles;
  if (!file) throw new Error('esbuild wrote no bundle.');
  requireKnown(Object.keys(metafile.inputs));
  return file.contents;
}

function requireKnown(files: string[]): void {
  const packages = files.flatMap((file) => file.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1] ?? []);
  const unknown = packages.find((name) => !bundledPackages.includes(name));
  if (unknown)
    throw new Error(
      `The provider's bundle has code of ${unknown}. Do without, or add it to bundledPackages and its license to the archives.`,
    );
}

/** An executable to be made. */
export interface ExecutableOrder {
  /** What {@link makeBlob} wrote with the same version of Node.js. */
  blob: string;
  /** The Node.js that is to run it; stays as it is. */
  node: string;
  /** Node's name of the system that it is for. */
  system: string;
  /** Path of the result. */
  executable: string;
}

/**
 * Writes an executable that holds the bundle and the Node.js that runs this.
 *
 * @param folder takes the parts and the result; the caller removes it
 * @returns path of the executable
 * @see https://nodejs.org/docs/latest-v24.x/api/single-executable-applications.html
 */
export async function makeExecutable(
  bundle: Uint8Array,
  folder: string,
  signal: AbortSignal,
): Promise<string> {
  const blob = await makeBlob(process.execPath, bundle, folder, signal, { useCodeCache: true });
  const executable = join(folder, 'executable');
  await putIntoNode({ blob, node: process.execPath, system: process.platform, executable }, signal);
  return executable;
}

/**
 * Writes the bundle in the form that a single executable of this version of Node.js holds, for whatever platform; with
 * `useCodeCache` for this one alone, compiled already.
 *
 * @param node runs on this machine
 * @param folder takes the parts and the result, and leaves no trace in it
 * @returns path of the result
 */
export async function makeBlob(
  node: string,
  bundle: Uint8Array,
  folder: string,
  signal: AbortSignal,
  { useCodeCache = false } = {},
): Promise<string> {
  await writeFile(join(folder, 'main.cjs'), bundle);
  const files = { main: 'main.cjs', output: 'program.blob' };
  // NODE_OPTIONS of whoever runs Terraform is not for this program: it could open a debugger on the API key.
  const config = { ...files, useCodeCache, execArgvExtension: 'none', disableExperimentalSEAWarning: true };
  await writeFile(join(folder, 'sea.json'), JSON.stringify(config));
  await runTool(node, ['--experimental-sea-config', 'sea.json'], signal, { cwd: folder });
  return join(folder, config.output);
}

/** Copies a Node.js and puts a blob into the copy. */
export async function putIntoNode(order: ExecutableOrder, signal: AbortSignal): Promise<void> {
  const { blob, node, system, executable } = order;
  await copyFile(node, executable);
  await chmod(executable, 0o755);
  await unsign(executable, system, signal);
  await inject(executable, blob, system, signal);
  await sign(executable, system, signal);
}

/** In a process of its own: it holds the whole binary in memory and cannot be interrupted. */
function inject(executable: string, blob: string, system: string, signal: AbortSignal): Promise<void> {
  const postject = join(dirname(createRequire(import.meta.url).resolve('postject')), 'cli.js');
  const section = system === 'darwin' ? ['--macho-segment-name', 'NODE_SEA'] : [];
  const words = [postject, executable, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', sentinelFuse, ...section];
  return runTool(process.execPath, words, signal);
}
