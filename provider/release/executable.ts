import { chmod, copyFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { contractAsData } from './contract-as-data.ts';
import { runTool } from './run-tool.ts';

const mainFile = fileURLToPath(new URL('../main.ts', import.meta.url));

/** Marks the place in the node binary that says whether a program is inside. Node's constant. */
const sentinelFuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** The provider and all it imports as one CommonJS file, which is what a single executable can hold. */
export async function bundleProvider(): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [mainFile],
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'silent',
    plugins: [contractAsData],
  });
  const [file] = outputFiles;
  if (!file) throw new Error('esbuild wrote no bundle.');
  return file.contents;
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
  const [main, output, config, executable] = ['main.cjs', 'program.blob', 'sea.json', 'executable'].map(
    (name) => join(folder, name),
  ) as [string, string, string, string];
  await writeFile(main, bundle);
  await writeFile(config, JSON.stringify({ main, output, disableExperimentalSEAWarning: true }));
  await runTool(process.execPath, ['--experimental-sea-config', config], signal);
  await copyFile(process.execPath, executable);
  await chmod(executable, 0o755);
  if (process.platform === 'darwin') await runTool('codesign', ['--remove-signature', executable], signal);
  await inject(executable, output, signal);
  if (process.platform === 'darwin') await runTool('codesign', ['--sign', '-', executable], signal);
  return executable;
}

/** In a process of its own: it holds the whole binary in memory and cannot be interrupted. */
function inject(executable: string, blob: string, signal: AbortSignal): Promise<void> {
  const postject = join(dirname(createRequire(import.meta.url).resolve('postject')), 'cli.js');
  const section = process.platform === 'darwin' ? ['--macho-segment-name', 'NODE_SEA'] : [];
  const words = [postject, executable, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', sentinelFuse, ...section];
  return runTool(process.execPath, words, signal);
}
