import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { buildProvider } from '../../provider/release/build-provider.ts';
import { writeCliConfig } from '../../provider/release/cli-config.ts';

/** Puts the provider where Terraform finds it without a registry; gives the path for TF_CLI_CONFIG_FILE. */
export async function installProvider(options: {
  folder: string;
  signal: AbortSignal;
  onProgress(line: string): void;
}): Promise<string> {
  const mirrorDir = join(options.folder, 'terraform', 'mirror');
  const path = join(options.folder, 'terraform', 'terraform.rc');
  await mkdir(mirrorDir, { recursive: true });
  await buildProvider({
    outDir: mirrorDir,
    cacheDir: resolve('.ebb/cache/provider'),
    signal: options.signal,
    onProgress: options.onProgress,
  });
  await writeCliConfig({ path, mirrorDir });
  return path;
}
