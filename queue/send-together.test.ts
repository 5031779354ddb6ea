import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sendTogether } from './send-together.ts';

/** Doubles numbers, and notes which came together. */
function doubling(most: number) {
  const sent: number[][] = [];
  const double = sendTogether(most, async (numbers: number[]) => {
    sent.push(numbers);
    if (numbers.includes(0)) throw new Error('There is a zero.');
    return numbers.map((number) => 2 * number);
  });
  return { double, sent };
}

test('calls of one turn go together, as many as may, and each gets its own answer', async () => {
  const { double, sent } = doubling(3);
  assert.deepEqual(await Promise.all([1, 2, 3, 4, 5].map(double)), [2, 4, 6, 8, 10]);
  await nextTurn();
  assert.equal(await double(6), 12);
  assert.deepEqual(sent, [[1, 2, 3], [4, 5], [6]]);
});

test('calls that went together fail together, and others do not', async () => {
  const { double } = doubling(2);
  const answers = await Promise.allSettled([1, 0, 3].map(double));
  assert.deepEqual(
    answers.map(({ status }) => status),
    ['rejected', 'rejected', 'fulfilled'],
  );
});
