import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createDriverForTests } from '../../runner/vm/driver-for-tests.ts';
import { createBootsForTests, settle } from '../../runner/vm/pool/boots-for-tests.ts';
import { createClockForTests } from '../../runner/vm/pool/clock-for-tests.ts';
import { createVmPool, type VmPool } from '../../runner/vm/pool.ts';

const pools: VmPool[] = [];
after(() => Promise.all(pools.map((pool) => pool.close())));

/** Fifty builds that come at once. No time passes, so that whatever waited for a next look would wait for ever. */
function burst(bootsAtOnce: number) {
  const boots = createBootsForTests();
  const pool = createVmPool({
    ...{ driver: createDriverForTests(), boot: boots.boot, clock: createClockForTests(), bootsAtOnce },
    ...{ min: 0, max: 0, memoryMib: 1024, cpus: 1, maxAgeMs: 600_000, maxVms: 50 },
  });
  pools.push(pool);
  const served: number[] = [];
  const signal = new AbortController().signal;
  const takes = Array.from({ length: 50 }, (_, build) =>
    pool.take({ memoryMib: 1024, cpus: 1, signal }).then(() => served.push(build)),
  );
  return { boots, served, all: Promise.all(takes) };
}

/** https://github.com/buildkite/elastic-ci-stack-for-aws/issues/983 */
test('in a burst of fifty builds all boots that the bounds allow begin at once', async () => {
  const { boots, all } = burst(50);
  assert.equal(boots.boots().length, 50);
  for (const boot of boots.boots()) boot.succeed();
  await all;
});

test('where fewer may boot at once, the next begins when one is done, and who came first is served first', async () => {
  const { boots, served, all } = burst(8);
  for (let done = 0; done < 50; done += 1) {
    assert.equal(boots.boots().length, Math.min(8, 50 - done));
    // Whichever is ready first.
    const under = boots.boots();
    under[done % under.length]?.succeed();
    await settle();
  }
  await all;
  assert.deepEqual(
    served,
    Array.from({ length: 50 }, (_, build) => build),
  );
  assert.equal(boots.on.started, 50);
});
