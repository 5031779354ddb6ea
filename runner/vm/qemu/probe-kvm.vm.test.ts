import assert from 'node:assert/strict';
import { access, constants, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildImage } from '../../image/build-image.ts';
import { base } from '../../image/recipes.ts';
import { probeKvm } from './probe-kvm.ts';

const imagesDir = join(import.meta.dirname, '../../../.ebb/cache/images');

test('whether KVM works is tried once, and remembered for each image', async () => {
  const image = await buildImage({
    recipe: base,
    cacheDir: imagesDir,
    signal: AbortSignal.timeout(600_000),
  });
  const cacheDir = await mkdtemp(join(tmpdir(), 'ebb-kvm-'));
  const openable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  try {
    const works = await probeKvm(image, cacheDir);
    const answers = await readdir(cacheDir);
    assert.equal(answers.length, openable ? 1 : 0);
    assert.ok(openable || !works);
    for (const name of answers) {
      assert.equal(await readFile(join(cacheDir, name), 'utf8'), works ? 'yes' : 'no');
      await writeFile(join(cacheDir, name), works ? 'no' : 'yes');
      assert.equal(await probeKvm(image, cacheDir), !works);
      await probeKvm({ ...image, digest: 'another' }, cacheDir);
      assert.equal((await readdir(cacheDir)).length, 2);
    }
  } finally {
    await rm(cacheDir, { recursive: true });
  }
});
