import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Command } from '../../runner/vm/driver-for-tests.ts';
import { openPlatform, type PlatformForTests } from './platform-for-tests.ts';

/** A step under which the VM goes the first time, and which passes then. */
function goneAtFirst(): Command {
  let steps = 0;
  return async ({ cut }) => {
    steps += 1;
    if (steps > 1) return 0;
    cut();
    return await new Promise<number>(() => {});
  };
}

/** https://github.com/github-aws-runners/terraform-aws-github-runner/issues/5007 */
describe('a spot instance is taken away under a build', () => {
  let platform: PlatformForTests;
  after(() => platform?.close());

  test('the build runs on a new VM, and nothing says of the old one that it still runs', async () => {
    platform = await openPlatform({ slots: 1, step: goneAtFirst() });
    const [build = ''] = await platform.start(1);
    const { state, attempt, vm } = await platform.ended(build);
    assert.deepEqual([state, attempt], ['passed', 2]);
    const [first, second] = platform.driver.launched;
    assert.equal(vm, second);
    assert.deepEqual([...platform.driver.alive], []);
    const uses = await platform.api.context.database
      .selectFrom('vm_use')
      .select(['vm', 'attempt', 'gone_at'])
      .orderBy('attempt')
      .execute();
    assert.deepEqual(
      uses.map((use) => [use.vm, use.attempt, use.gone_at !== null]),
      [
        [first, 1, true],
        [second, 2, true],
      ],
    );
  });
});

describe('a VM dies while Redis does not answer the API', () => {
  let platform: PlatformForTests;
  after(() => platform?.close());

  test('the runner leaves the lease to the sweeper, so that the queue knows of the build all the while', async () => {
    platform = await openPlatform({ slots: 1, step: goneAtFirst() });
    const { queue } = platform.api.context;
    const { requeue } = queue;
    queue.requeue = () => Promise.reject(new Error('Redis does not answer.'));
    const [build = ''] = await platform.start(1);
    await platform.until(build, ({ state, vm_gone_at }) => state === 'queued' && vm_gone_at !== null);
    const [next = ''] = await platform.start(1);
    await platform.ended(next);
    assert.equal((await queue.look([build]))[0]?.state, 'leased', 'after the claim of the next');
    queue.requeue = requeue;
    const { state, attempt } = await platform.ended(build);
    assert.deepEqual([state, attempt], ['passed', 2]);
  });
});

/** https://github.com/github-aws-runners/terraform-aws-github-runner/issues/4391 */
describe('sweeps and reaps all the time', () => {
  let platform: PlatformForTests;
  after(() => platform?.close());

  test('end no slow build, also when its runner does not get to say for seconds that it lives', async () => {
    const hang = Promise.withResolvers<number>();
    platform = await openPlatform({ slots: 3, sweepMs: 50, step: () => hang.promise });
    const builds = await platform.start(3);
    for (const build of builds) await platform.until(build, ({ state }) => state === 'running');
    // Many sweeps long, and half a lease.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 7_000);
    // The first sweeps after that find leases that nobody renewed meanwhile.
    for (let look = 0; look < 5; look += 1)
      for (const build of builds) assert.equal((await platform.read(build)).state, 'running');
    hang.resolve(0);
    for (const build of builds) {
      const { state, attempt } = await platform.ended(build);
      assert.deepEqual([state, attempt], ['passed', 1]);
    }
    assert.equal(platform.driver.launched.length, 3);
  });
});
