import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commitStatus } from './commit-status.ts';

type Shown = Parameters<typeof commitStatus>[0];

const build: Shown = {
  ...{ id: 'bld_1', number: 7, state: 'queued', reason: null, commit: 'a'.repeat(40), trigger: 'push' },
  started_at: new Date('2026-01-01T12:00:00Z'),
  finished_at: new Date('2026-01-01T12:00:42Z'),
};
const shown = (more: Partial<Shown>) =>
  commitStatus({ ...build, ...more }, 'shop', 'https://ebb.example.com');

test('each state of a build is told in the words of source hosts, with its reason', () => {
  const reason = 'Because.';
  const cases: [Partial<Shown>, string, string][] = [
    [
      { state: 'awaiting_approval' },
      'pending',
      'Build 7 comes from a fork and waits for a maintainer: ebb approve',
    ],
    [{ state: 'queued' }, 'pending', 'Build 7 is queued'],
    [{ state: 'queued', reason }, 'pending', 'Build 7 is queued: Because.'],
    [{ state: 'starting' }, 'pending', 'Build 7: its VM starts'],
    [{ state: 'starting', reason }, 'pending', 'Build 7 waits: Because.'],
    [{ state: 'running' }, 'pending', 'Build 7 runs'],
    [{ state: 'passed' }, 'success', 'Build 7 passed in 42 s'],
    [{ state: 'failed', reason }, 'failure', 'Build 7 failed: Because.'],
    [{ state: 'timed_out', reason }, 'failure', 'Build 7 took too long: Because.'],
    [{ state: 'cancelled', reason }, 'error', 'Build 7 was cancelled: Because.'],
    [{ state: 'errored', reason }, 'error', 'Build 7 could not be done: Because.'],
  ];
  for (const [more, state, description] of cases) {
    const status = shown(more);
    assert.deepEqual([status.state, status.description], [state, description]);
  }
});

test('a status links to its build, and a tag has one of its own', () => {
  assert.equal(shown({}).url, 'https://ebb.example.com/builds/bld_1');
  assert.deepEqual([shown({}).context, shown({ trigger: 'tag' }).context], ['ebb/shop', 'ebb/shop/tag']);
});

test('no description is longer than source hosts take', () => {
  const { description } = shown({ state: 'errored', reason: 'word '.repeat(60) });
  assert.ok(description.length <= 140);
  assert.match(description, /…$/);
});
