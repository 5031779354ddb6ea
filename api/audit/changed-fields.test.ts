import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changedFields } from './changed-fields.ts';

test('members that differ are named, also those that came or went', () => {
  const before = { name: 'shop', test: ['a'], environment: { A: '1', B: '2' }, old: 1 };
  const after = { name: 'shop', test: ['b'], environment: { B: '2', A: '1' }, fresh: 1 };
  assert.deepEqual(changedFields<object>(before, after), ['fresh', 'old', 'test']);
});
