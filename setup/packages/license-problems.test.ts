import assert from 'node:assert/strict';
import { test } from 'node:test';
import { licenseProblems } from './license-problems.ts';
import type { LockedPackage } from './lock-file.ts';

function problemsOf(
  entry: Partial<LockedPackage>,
  { name = 'some', said = undefined as string | undefined } = {},
) {
  const packages = new Map([[`node_modules/${name}`, { version: '1.0.0', ...entry }]]);
  return licenseProblems(packages, () => said);
}

test('a permissive license is fine, and so is the choice of one', () => {
  for (const license of ['MIT', 'Apache-2.0', 'MIT OR GPL-3.0-only', '(MIT AND Zlib)', 'GPL-2.0-only OR ISC'])
    assert.deepEqual(problemsOf({ license }), [], license);
});

test('another license is refused with the name of the package and what to do', () => {
  const refused = [
    'GPL-3.0-only',
    'MIT AND GPL-3.0-only',
    'UNLICENSED',
    'SEE LICENSE IN x',
    '(MIT OR ISC) AND X',
  ];
  for (const license of refused) {
    const [problem = ''] = problemsOf({ license });
    assert.ok(problem.startsWith(`some 1.0.0 has the license ${license},`), problem);
    assert.match(problem, /Use another package/);
  }
});

test('what only builds and tests may have MPL-2.0, what runs may not', () => {
  assert.deepEqual(problemsOf({ license: 'MPL-2.0', dev: true }), []);
  assert.equal(problemsOf({ license: 'MPL-2.0' }).length, 1);
});

test('what was judged was judged with its license: another one of the same package is looked at anew', () => {
  assert.deepEqual(problemsOf({ license: 'MPL-2.0' }, { name: 'cdktf' }), []);
  assert.equal(problemsOf({ license: 'BUSL-1.1' }, { name: 'cdktf' }).length, 1);
});

test('where the lock tells no license the package itself does', () => {
  assert.deepEqual(problemsOf({}, { said: 'MIT' }), []);
  assert.equal(problemsOf({}, { said: 'AGPL-3.0-only' }).length, 1);
  assert.match(problemsOf({}).join(), /some 1\.0\.0 names no license/);
});
