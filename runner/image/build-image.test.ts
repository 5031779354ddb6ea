import assert from 'node:assert/strict';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { buildImage } from './build-image.ts';
import { checkBuildTools } from './build-tools.ts';
import { digestOf } from './digest.ts';
import { ImageError } from './image-error.ts';
import { base, findRecipe } from './recipes.ts';
import { run } from './run.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-image-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const guestFiles = join(import.meta.dirname, 'files');

test('the digest stays the same for the same recipe and files', async () => {
  const copy = join(folder, 'same');
  await cp(guestFiles, copy, { recursive: true });
  assert.equal(
    await digestOf({ recipe: base, script: 'a', folder: copy }),
    await digestOf({ recipe: base, script: 'a', folder: guestFiles }),
  );
});

test('the digest changes with a file, with its name, with the recipe and with the script', async () => {
  const ingredients = { recipe: base, script: 'a', folder: join(folder, 'files') };
  await cp(guestFiles, ingredients.folder, { recursive: true });
  const digests = [await digestOf(ingredients)];
  digests.push(await digestOf({ ...ingredients, script: 'b' }));
  digests.push(await digestOf({ ...ingredients, recipe: { ...base, revision: base.revision + 1 } }));
  await writeFile(join(ingredients.folder, 'one'), 'x');
  digests.push(await digestOf(ingredients));
  await writeFile(join(ingredients.folder, 'one'), 'y');
  digests.push(await digestOf(ingredients));
  await rm(join(ingredients.folder, 'one'));
  await writeFile(join(ingredients.folder, 'two'), 'y');
  digests.push(await digestOf(ingredients));
  assert.equal(new Set(digests).size, digests.length);
});

test('one error names every missing tool and the command that installs them', async () => {
  const searchPath = join(folder, 'bin');
  await mkdir(searchPath);
  for (const tool of ['awk', 'apt-get', 'dpkg-deb']) {
    await writeFile(join(searchPath, tool), '');
    await chmod(join(searchPath, tool), 0o755);
  }
  const keyringPath = join(folder, 'no-keyring.gpg');
  await assert.rejects(
    checkBuildTools({ recipe: { ...base, compression: 'lz4' }, searchPath, keyringPath }),
    (error: ImageError) => {
      assert.equal(error.code, 'tools_missing');
      assert.match(error.message, /needs mmdebstrap, cpio, lz4, Debian's signing keys/);
      assert.match(error.message, /apt-get install mmdebstrap cpio lz4 debian-archive-keyring$/);
      return true;
    },
  );
});

test('lz4 is not asked for when the image is not compressed', async () => {
  await assert.rejects(
    checkBuildTools({ recipe: { ...base, compression: 'none' }, searchPath: join(folder, 'empty') }),
    (error: ImageError) => !error.message.includes('lz4'),
  );
});

test('a cached image is used without any tool or network', async () => {
  const cacheDir = join(folder, 'cache');
  const recipe = {
    ...base,
    suite: 'no-such-suite',
    sources: ['deb http://127.0.0.1:1/nothing nowhere main'],
  };
  const script = await readFile(join(import.meta.dirname, 'assemble.sh'), 'utf8');
  const digest = await digestOf({ recipe, script, folder: guestFiles });
  await mkdir(join(cacheDir, digest), { recursive: true });
  await writeFile(join(cacheDir, digest, 'complete'), '');
  const image = await buildImage({ recipe, cacheDir, signal: new AbortController().signal });
  assert.deepEqual(image, {
    name: 'base',
    digest,
    kernelPath: join(cacheDir, digest, 'kernel'),
    initramfsPath: join(cacheDir, digest, 'initramfs'),
    stubPath: join(cacheDir, digest, 'stub'),
    osReleasePath: join(cacheDir, digest, 'os-release'),
    packagesPath: join(cacheDir, digest, 'packages'),
    commandLine: base.commandLine,
  });
});

test('a build that is stopped leaves nothing in the cache', async () => {
  const cacheDir = join(folder, 'stopped');
  const stop = new AbortController();
  stop.abort();
  await assert.rejects(
    buildImage({ recipe: base, cacheDir, signal: stop.signal }),
    (error: ImageError) => error instanceof ImageError && error.code === 'aborted',
  );
  assert.deepEqual(await readdir(cacheDir), []);
});

test('what builds left that were killed goes with the next one, and one that works is left alone', async () => {
  const cacheDir = join(folder, 'abandoned');
  const [old, young] = ['old', 'young'].map((name) => join(cacheDir, `.${'a'.repeat(64)}-${name}`));
  for (const work of [old, young]) await mkdir(String(work), { recursive: true });
  const hourAgo = new Date(Date.now() - 3_600_000);
  await utimes(String(old), hourAgo, hourAgo);
  await assert.rejects(buildImage({ recipe: base, cacheDir, signal: AbortSignal.abort() }));
  assert.deepEqual(await readdir(cacheDir), [`.${'a'.repeat(64)}-young`]);
});

test('a program that fails is reported with the last lines it printed', async () => {
  const lines: string[] = [];
  await assert.rejects(
    run('sh', ['-c', 'echo no such suite >&2; exit 3'], {
      signal: new AbortController().signal,
      onProgress: (line) => lines.push(line),
    }),
    (error: ImageError) =>
      error.code === 'build_failed' && /ended with 3:\nno such suite/.test(error.message),
  );
  assert.deepEqual(lines, ['no such suite']);
});

test('no module of a disk driver is in the recipe, and the built-in one is kept from starting', () => {
  const disks = /nvme|blk|scsi|ata|loop|zram|floppy|mmc|md|dm-/;
  assert.deepEqual(
    base.modules.filter((module) => disks.test(module)),
    [],
  );
  assert.match(base.commandLine, /(^| )initcall_blacklist=nvme_init( |$)/);
});

test('an unknown image is refused with the names that there are', () => {
  assert.equal(findRecipe('base'), base);
  assert.throws(() => findRecipe('bsae'), {
    code: 'unknown_recipe',
    message: /"bsae".*There are: base, node/,
  });
});
