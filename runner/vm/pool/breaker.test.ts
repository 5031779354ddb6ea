import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { type Breaker, createBreaker } from './breaker.ts';
import { type ClockForTests, createClockForTests } from './clock-for-tests.ts';

let clock: ClockForTests;
let breaker: Breaker;
let changes: string[];

beforeEach(() => {
  clock = createClockForTests();
  changes = [];
  breaker = createBreaker({ clock, random: () => 0.5, onChange: (state) => changes.push(state) });
});

const fail = (times = 1) => {
  for (let time = 0; time < times; time += 1) breaker.begin().failed(new Error('no power\nconsole'));
};

test('opens after five failures in a row, not before', () => {
  fail(4);
  assert.ok(breaker.admits());
  breaker.begin().succeeded();
  fail(4);
  assert.equal(breaker.state(), 'closed');
  fail();
  assert.equal(breaker.state(), 'open');
  assert.ok(!breaker.admits());
  assert.equal(breaker.failures(), 5);
  assert.equal(breaker.lastError(), 'no power');
});

test('tries with one attempt, after twice the time at each failure and a minute at most', () => {
  fail(5);
  for (const seconds of [5, 10, 20, 40, 60, 60, 60]) {
    assert.equal(breaker.retryInMs(), seconds * 1000);
    clock.pass(seconds * 1000 - 1);
    assert.ok(!breaker.admits());
    clock.pass(1);
    assert.equal(breaker.state(), 'half_open');
    const probe = breaker.begin();
    assert.ok(!breaker.admits(), 'one at a time');
    probe.failed(new Error('still none'));
  }
});

test('waits between four and six fifths of that, so that runners do not try together', () => {
  for (const [random, ms] of [
    [0, 4_000],
    [1, 6_000],
  ] as const) {
    breaker = createBreaker({ clock, random: () => random, onChange: () => {} });
    fail(5);
    assert.equal(Math.round(breaker.retryInMs()), ms);
  }
});

test('closes at one success, and begins with the shortest wait when it opens again', () => {
  fail(5);
  clock.pass(5_000);
  fail();
  clock.pass(10_000);
  breaker.begin().succeeded();
  assert.equal(breaker.state(), 'closed');
  assert.deepEqual(changes, ['open', 'open', 'closed']);
  fail(5);
  assert.equal(breaker.retryInMs(), 5_000);
});

test('a success of an attempt that began before it opened closes it, a failure makes the wait no longer', () => {
  const [early, late] = [breaker.begin(), breaker.begin()];
  fail(5);
  late.failed(new Error('late'));
  assert.equal(breaker.retryInMs(), 5_000);
  early.succeeded();
  assert.equal(breaker.state(), 'closed');
});

test('an attempt that was given up leaves its place to the next', () => {
  fail(5);
  clock.pass(5_000);
  const probe = breaker.begin();
  probe.abandoned();
  probe.failed(new Error('too late to count'));
  assert.ok(breaker.admits());
});
