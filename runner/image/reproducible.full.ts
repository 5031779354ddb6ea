import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildImage } from './build-image.ts';
import { buildDiskImage } from './disk/disk-image.ts';
import { recipes } from './recipes.ts';

// Takes minutes: npm run test:image-reproducible. `npm test` makes the disk alone twice.
const signal = AbortSignal.timeout(30 * 60_000);

for (const recipe of recipes) {
  test(`two builds of ${recipe.name} give the same bytes, for both targets`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'ebb-reproducible-'));
    t.after(() => rm(folder, { recursive: true }));
    const build = async (cacheDir: string) => {
      const image = await buildImage({ recipe, cacheDir, signal });
      const disk = await buildDiskImage({ image, cacheDir, signal });
      const paths = [image.kernelPath, image.initramfsPath, image.packagesPath, disk.diskPath];
      return await Promise.all(
        paths.map(async (path) =>
          createHash('sha256')
            .update(await readFile(path))
            .digest('hex'),
        ),
      );
    };
    assert.deepEqual(await build(join(folder, 'one')), await build(join(folder, 'two')));
  });
}
