import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeLog } from './judge-log.ts';

const prints = [{ name: 'test', lines: 3 }];
const passed = { id: 'bld_1', state: 'passed' as const, prints };
const lost = { ...passed, state: 'errored' as const };
const attempt = (number: number, machine: string, ...lines: number[]) => [
  `ebb: attempt ${number}: waiting for a fresh VM`,
  ...lines.map((line) => `test ${line}/3 of bld_1 on ${machine}`),
];
const log = (...lines: string[]) => [...lines, 'ebb: passed', ''].join('\n');

test('a log of a lost attempt and of one that passed is right', () => {
  const text = log(...attempt(1, 'vm_a', 1), 'ebb: lost: The VM was lost', ...attempt(2, 'vm_b', 1, 2, 3));
  assert.deepEqual(judgeLog(text, passed), []);
});

test('an attempt that passed and whose runner died before it could tell is right; the last one must say that it passed', () => {
  const first = [...attempt(1, 'vm_a', 1, 2, 3), 'ebb: passed'];
  assert.deepEqual(judgeLog(log(...first, ...attempt(2, 'vm_b', 1, 2, 3)), passed), []);
  const silent = [...first, ...attempt(2, 'vm_b', 1, 2, 3)].join('\n');
  assert.match(judgeLog(silent, passed).join(), /does not say once that it passed/);
});

test('a command that failed is told once, with its reason', () => {
  const failed = { ...passed, state: 'failed' as const };
  const end = 'ebb: failed: A command failed with exit code 3. (print)';
  assert.deepEqual(judgeLog([...attempt(1, 'vm_a', 1, 2, 3), end].join('\n'), failed), []);
  const twice = [...attempt(1, 'vm_a', 1, 2, 3), end, end].join('\n');
  assert.match(judgeLog(twice, failed).join(), /does not say once that it failed/);
});

test('a line that comes twice, or after a gap, is found in every attempt, also of a build that did not pass', () => {
  for (const lines of [
    [1, 1, 2],
    [1, 3],
    [2, 3],
    [1, 2, 1, 2],
  ]) {
    const first = attempt(1, 'vm_a', ...lines);
    assert.match(judgeLog(first.join('\n'), lost).join(), /attempt 1 in the log of bld_1 has /);
    const text = log(...first, ...attempt(2, 'vm_b', 1, 2, 3));
    assert.match(judgeLog(text, passed).join(), /attempt 1 in the log of bld_1 has /);
  }
  assert.deepEqual(judgeLog(attempt(1, 'vm_a', 1, 2).join('\n'), lost), []);
});

test('a line that is missing at the end, or is of another machine or build, is found in a build that passed', () => {
  const short = judgeLog(log(...attempt(1, 'vm_a', 1, 2)), passed);
  assert.match(short.join(), /and not test 1\/3, test 2\/3, test 3\/3/);
  const mixed = log(...attempt(1, 'vm_a', 1, 2), 'test 3/3 of bld_1 on vm_b');
  assert.match(judgeLog(mixed, passed).join(), /printed on vm_a, vm_b/);
  const other = log(...attempt(1, 'vm_a', 1, 2), 'test 3/3 of bld_2 on vm_a');
  assert.match(judgeLog(other, passed).join(), /lines of another build/);
});

test('an attempt that begins twice is found', () => {
  const text = log(...attempt(1, 'vm_a'), ...attempt(1, 'vm_b', 1, 2, 3));
  assert.match(judgeLog(text, passed).join(), /has the attempts 1, 1/);
});
