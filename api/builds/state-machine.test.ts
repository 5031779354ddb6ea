import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BuildState, buildStates, finalStates } from '../../contract/build.ts';
import { type BuildEvent, leads } from './state-machine.ts';

const events: BuildEvent[] = ['claim', 'vm_ready', 'lose', 'finish', 'end', 'approve', 'cancel'];

test('no event leads out of a final state', () => {
  for (const from of finalStates) {
    for (const event of events) {
      for (const to of buildStates) assert.equal(leads(from, event, to), false, `${from} ${event} ${to}`);
    }
  }
});

test('every state that is not final can end', () => {
  const open = buildStates.filter((state) => !finalStates.includes(state));
  for (const from of open) {
    const ends = events.some((event) => finalStates.some((to) => leads(from, event, to)));
    assert.ok(ends, `${from} never ends`);
  }
});

const sourcesOf = (to: BuildState) =>
  buildStates.filter((state) => events.some((event) => leads(state, event, to)));

test('only a build that has a VM passes or fails', () => {
  for (const to of ['passed', 'failed'] as const) assert.deepEqual(sourcesOf(to), ['running'], to);
});

test('only a build under way times out', () => {
  assert.deepEqual(sourcesOf('timed_out'), ['starting', 'running']);
});

test('a lost attempt waits again', () => {
  assert.ok(leads('running', 'lose', 'queued'));
  assert.ok(leads('starting', 'lose', 'queued'));
});
