import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeLog } from './judge-log.ts';

const prints = [{ name: 'test', lines: 2 }];
const passed = { id: 'bld_1', passed: true, prints };
const attempt = (number: number, machine: string, ...lines: number[]) => [
  `ebb: attempt ${number}: waiting for a fresh VM`,
  ...lines.map((line) => `test ${line}/2 of bld_1 on ${machine}`),
];
const log = (...lines: string[]) => [...lines, 'ebb: passed', ''].join('\n');

test('a log of a lost attempt and of one that passed is right', () => {
  const text = log(...attempt(1, 'vm_a', 1), 'ebb: lost: The VM was lost', ...attempt(2, 'vm_b', 1, 2));
  assert.deepEqual(judgeLog(text, passed), []);
});

test('an attempt that passed and whose runner died before it could tell is right; the last one must say that it passed', () => {
  const first = [...attempt(1, 'vm_a', 1, 2), 'ebb: passed'];
  assert.deepEqual(judgeLog(log(...first, ...attempt(2, 'vm_b', 1, 2)), passed), []);
  const silent = [...first, ...attempt(2, 'vm_b', 1, 2)].join('\n');
  assert.match(judgeLog(silent, passed).join(), /does not say once that it passed/);
});

test('a line that comes twice is found, also in a build that did not pass', () => {
  const text = log(...attempt(1, 'vm_a', 1, 1, 2));
  assert.match(judgeLog(text, { ...passed, passed: false }).join(), /has twice: test 1\/2/);
});

test('a line that is missing, out of order or of another machine is found in a build that passed', () => {
  for (const lines of [attempt(1, 'vm_a', 1), attempt(1, 'vm_a', 2, 1)])
    assert.match(judgeLog(log(...lines), passed).join(), /and not test 1\/2, test 2\/2/);
  const mixed = log(...attempt(1, 'vm_a', 1), 'test 2/2 of bld_1 on vm_b');
  assert.match(judgeLog(mixed, passed).join(), /printed on vm_a, vm_b/);
});
