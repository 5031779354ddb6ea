import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Value } from 'typebox/value';
import { BranchName } from './id.ts';

const isBranch = (name: string) => Value.Check(BranchName('Branch.'), name);

test('what git takes as a branch is taken, and what it refuses is refused', () => {
  for (const name of ['main', 'release/1.2', 'feature/ünïcode', 'a', 'x@y', 'v1-rc.1'])
    assert.ok(isBranch(name), name);
  const refused = [
    '',
    'a b',
    'a..b',
    '/a',
    'a/',
    'a//b',
    '-a',
    '.a',
    'a/.b',
    'a.',
    'a.lock',
    'a.lock/b',
    'a@{b',
  ];
  for (const name of [...refused, 'a~b', 'a^b', 'a:b', 'a?b', 'a*b', 'a[b', 'a\\b', 'a\x7fb', 'a\nb'])
    assert.ok(!isBranch(name), JSON.stringify(name));
});
