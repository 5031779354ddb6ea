import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildState } from '../../contract/build.ts';
import { judgePast } from './judge-past.ts';

const past = (...steps: [BuildState, number, string?][]) =>
  steps.map(([state, attempt, holder = null], version) => {
    return { build: 'bld_1', at: version, state, attempt, holder, version };
  });

test('a build that is lost, tried again, taken over and passes has a good past', () => {
  const good = past(
    ['queued', 0],
    ['starting', 1, 'a/1'],
    ['running', 1, 'a/1'],
    ['queued', 1],
    ['starting', 2, 'b/1'],
    ['running', 2, 'b/1'],
    ['running', 2, 'c/1'],
    ['passed', 2, 'c/1'],
  );
  assert.deepEqual(judgePast('bld_1', good), []);
});

test('two ends, none, and an end that goes on are found', () => {
  for (const bad of [
    past(['queued', 0]),
    past(['queued', 0], ['cancelled', 0], ['cancelled', 0]),
    past(['queued', 0], ['cancelled', 0], ['starting', 1, 'a/1']),
  ])
    assert.match(judgePast('bld_1', bad).join(), /did not come to one end/);
});

test('a step that the state machine does not have is found, and an attempt that begins under an old number', () => {
  const leap = past(['queued', 0], ['running', 1, 'a/1'], ['passed', 1, 'a/1']);
  assert.match(judgePast('bld_1', leap).join(), /went from queued to running/);
  const again = past(['queued', 0], ['starting', 1, 'a/1'], ['queued', 1], ['starting', 1, 'b/1']);
  assert.match(judgePast('bld_1', again).join(), /went from queued to starting/);
});

test('a fourth attempt is found', () => {
  const often = [1, 2, 3, 4].flatMap((number): [BuildState, number][] => [
    ['queued', number - 1],
    ['starting', number],
  ]);
  assert.match(judgePast('bld_1', past(...often)).join(), /tried too often/);
});
