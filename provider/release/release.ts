import { readdir, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { buildRelease } from './build-release.ts';
import { releaseNames } from './release-files.ts';

/** Builds what a release of the provider publishes: `npm run build:provider`. See docs/releasing.md. */

const outDir = resolve('dist', 'provider');
await buildRelease({
  ...{ outDir, cacheDir: resolve('.ebb', 'cache', 'provider-release') },
  signal: AbortSignal.timeout(3_600_000),
  onProgress: (step) => console.error(`ebb: ${step}`),
});
for (const name of (await readdir(outDir)).sort()) {
  const { size } = await stat(join(outDir, name));
  console.log(`${(size / 1e6).toFixed(1).padStart(6)} MB  ${join(relative('.', outDir), name)}`);
}
console.log(`
The Terraform Registry wants the checksums signed, with a key that it knows:
  gpg --detach-sign --local-user KEY ${join(relative('.', outDir), releaseNames.sums)}`);
