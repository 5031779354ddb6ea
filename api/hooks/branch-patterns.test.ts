import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesBranch } from './branch-patterns.ts';

test('** matches every branch', () => {
  assert.ok(matchesBranch('main', ['**']));
  assert.ok(matchesBranch('feature/a/b', ['**']));
});

test('* matches within one level', () => {
  assert.ok(matchesBranch('release/1', ['release/*']));
  assert.ok(!matchesBranch('release/1/hotfix', ['release/*']));
});

test('everything else is taken literally', () => {
  assert.ok(matchesBranch('v1.2', ['v1.2']));
  assert.ok(!matchesBranch('v1x2', ['v1.2']));
  assert.ok(!matchesBranch('main2', ['main']));
});
