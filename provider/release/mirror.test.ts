import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { addToMirror, platformName } from './mirror.ts';

test('platforms have the names that Go gives them', () => {
  assert.equal(platformName('linux', 'x64'), 'linux_amd64');
  assert.equal(platformName('darwin', 'arm64'), 'darwin_arm64');
  assert.throws(() => platformName('aix', 'ppc64'), /no Terraform for aix on ppc64/);
});

test('an executable is placed for both registries, and another takes its place', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-mirror-'));
  t.after(() => rm(folder, { recursive: true }));
  const place = async (name: string) => {
    const executable = join(folder, name);
    await writeFile(executable, name);
    await chmod(executable, 0o755);
    await addToMirror(join(folder, 'mirror'), executable);
    return addToMirror(join(folder, 'mirror'), executable);
  };
  await place('first');
  const path = await place('second');
  assert.equal(await readFile(path, 'utf8'), 'second');
  assert.ok((await stat(path)).mode & 0o100);
  const files = (await readdir(join(folder, 'mirror'), { recursive: true })).filter((name) =>
    name.includes('_v'),
  );
  assert.deepEqual(files.map((name) => name.split('/')[0]).sort(), [
    'registry.opentofu.org',
    'registry.terraform.io',
  ]);
});
