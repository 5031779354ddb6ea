import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type LockedPackage, type Manifest, readLock } from './lock-file.ts';
import { lockProblems } from './lock-problems.ts';

const root = join(import.meta.dirname, '..', '..');
const sound: LockedPackage = { version: '1.0.0', integrity: 'sha512-AAAA', license: 'MIT' };

function problemsOf(entry: LockedPackage, manifest: Manifest = {}): string[] {
  return lockProblems({ manifest, packages: new Map([['node_modules/some', entry]]) });
}

test("Ebb's own packages are locked to what the registry publishes, and need no install script", async () => {
  assert.deepEqual(lockProblems(await readLock(root)), []);
});

test('a range of versions is refused in each list of package.json', () => {
  for (const list of ['dependencies', 'devDependencies', 'optionalDependencies']) {
    for (const range of ['^1.0.0', '~1.0.0', '1.x', '*', 'latest', '>=1.0.0', 'github:a/b', 'file:../b'])
      assert.match(problemsOf(sound, { [list]: { some: range } }).join(), /some .*no single version/, range);
    assert.deepEqual(problemsOf(sound, { [list]: { some: '1.0.0', other: '1.0.0-alpha.6' } }), []);
  }
});

test('a package without a SHA-512 is refused, unless it came inside another', () => {
  const { integrity, ...without } = sound;
  assert.match(problemsOf(without).join(), /node_modules\/some has no SHA-512/);
  assert.match(problemsOf({ ...sound, integrity: 'sha1-AAAA' }).join(), /no SHA-512/);
  assert.deepEqual(problemsOf({ ...without, inBundle: true }), []);
});

test('a package from elsewhere than the registry is refused', () => {
  for (const resolved of ['git+ssh://git@github.com/a/b.git#0', 'https://example.com/some.tgz', 'file:some'])
    assert.match(problemsOf({ ...sound, resolved }).join(), /not from the registry/, resolved);
  assert.match(problemsOf({ ...sound, link: true }).join(), /not from the registry/);
  assert.deepEqual(
    problemsOf({ ...sound, resolved: 'https://registry.npmjs.org/some/-/some-1.0.0.tgz' }),
    [],
  );
});

test('a package with an install script is refused until somebody found that it works without', () => {
  assert.match(problemsOf({ ...sound, hasInstallScript: true }).join(), /install script, and none is run/);
});

test('what installs packages takes the lock as it is, and npm runs no script of them', async () => {
  const text = (name: string) => readFile(join(root, name), 'utf8');
  for (const name of ['setup/setup.sh', 'Dockerfile']) {
    const installs = (await text(name)).match(/\bnpm (ci|i|install|add)\b/g);
    assert.deepEqual(installs, ['npm ci'], name);
  }
  assert.match(await text('.npmrc'), /^ignore-scripts=true$/m);
});
