import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matches } from './patterns.ts';

test('** matches every branch', () => {
  assert.ok(matches('main', ['**']));
  assert.ok(matches('feature/a/b', ['**']));
});

test('* matches within one level', () => {
  assert.ok(matches('release/1', ['release/*']));
  assert.ok(!matches('release/1/hotfix', ['release/*']));
});

test('everything else is taken literally', () => {
  assert.ok(matches('v1.2', ['v1.2']));
  assert.ok(!matches('v1x2', ['v1.2']));
  assert.ok(!matches('main2', ['main']));
});

test('a pattern of many stars is answered at once', () => {
  const pattern = '**a*'.repeat(50);
  assert.ok(!matches(`${'a'.repeat(400)}!`.repeat(2), [`${pattern}b`]));
  assert.ok(matches('a'.repeat(400), [pattern]));
});

test('a star may stand for nothing', () => {
  assert.ok(matches('v', ['v*']));
  assert.ok(matches('release/', ['release/**']));
});
