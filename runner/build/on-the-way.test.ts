import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BreakerState } from '../vm/pool/breaker.ts';
import type { VmPool } from '../vm/pool.ts';
import { createWayTo } from './on-the-way.ts';

/** A pool of one shape whose VMs do not come up. */
function poolThatIs(breaker: BreakerState, ready = 0) {
  let takers = 0;
  const shape = { recipe: 'base', memoryMib: 512, cpus: 1, ready, booting: 0, target: 0 };
  return {
    take: () => {
      takers += 1;
      return new Promise<never>(() => {});
    },
    renew() {},
    status: () => ({ ...shape, takers, used: 0, breaker, shapes: [{ ...shape, takers, breaker }] }),
    async close() {},
  } satisfies VmPool;
}
const wanted = { memoryMib: 512, cpus: 1, signal: new AbortController().signal };

test('while boots are tried one by one, one build is on its way', () => {
  const way = createWayTo(poolThatIs('half_open'));
  const first = way.begin();
  assert.ok(first);
  assert.equal(way.begin(), undefined);
  first.pool.take(wanted);
  assert.equal(way.begin(), undefined, 'it waits for its VM');
});

test('after a build that asked for no VM the next may be on its way', () => {
  const way = createWayTo(poolThatIs('half_open'));
  const first = way.begin();
  first?.arrived();
  first?.arrived();
  assert.ok(way.begin());
  assert.equal(way.begin(), undefined);
});

test('while boots fail as many builds are on their way as there are VMs, and any number while they do not', () => {
  const failing = createWayTo(poolThatIs('open', 2));
  assert.deepEqual([failing.begin(), failing.begin(), failing.begin()].map(Boolean), [true, true, false]);
  const well = createWayTo(poolThatIs('closed'));
  for (let build = 0; build < 10; build += 1) assert.ok(well.begin());
});
