import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Build } from '../../contract/build.ts';
import { VmError } from '../../runner/vm/driver.ts';
import { type ClockForTests, createClockForTests } from '../../runner/vm/pool/clock-for-tests.ts';
import { openPlatform, type PlatformForTests } from './platform-for-tests.ts';

/** https://github.com/github-aws-runners/terraform-aws-github-runner/issues/3493 */
describe('one of five VMs does not come up', () => {
  let platform: PlatformForTests;
  after(() => platform?.close());

  test('a hundred builds all end, none waits for ever for a VM that failed', async () => {
    let launches = 0;
    platform = await openPlatform({
      slots: 10,
      launch: (launch) => async (wanted) => {
        launches += 1;
        if (launches % 5 === 0) throw new VmError('boot_failed', 'It did not come up.');
        return await launch(wanted);
      },
    });
    const builds = await platform.start(100);
    const ended: Build[] = [];
    for (const build of builds) ended.push(await platform.ended(build));
    assert.deepEqual(new Set(ended.map(({ state }) => state)), new Set(['passed']));
    assert.equal(new Set(ended.map(({ vm }) => vm)).size, 100, 'each had a VM of its own');
    assert.equal(launches, 125 - 1, 'no VM was launched but those that were needed');
    assert.deepEqual([...platform.driver.alive], []);
    // The last lease ends with the claim after it.
    while ((await platform.api.context.queue.list()).length > 0) await delay(20);
  });
});

/** https://github.com/runs-on/runs-on/issues/543 */
describe('no VM can be had', () => {
  let platform: PlatformForTests;
  after(() => platform?.close());

  test('a build for which the cloud has no room says so, and runs when there is room again', async () => {
    const room = Promise.withResolvers<void>();
    platform = await openPlatform({
      slots: 2,
      launch: (launch) => async (wanted) => {
        wanted.onWait?.('Amazon EC2 has no room for a VM.');
        await room.promise;
        return await launch(wanted);
      },
    });
    const builds = await platform.start(2);
    for (const build of builds)
      await platform.until(build, ({ reason }) => reason === 'Amazon EC2 has no room for a VM.');
    room.resolve();
    for (const build of builds) assert.equal((await platform.ended(build)).state, 'passed');
  });
});

describe('every boot fails', () => {
  let platform: PlatformForTests;
  let clock: ClockForTests;
  after(() => platform?.close());

  test('a build reads why and when the next is tried, few VMs are created, and it runs when boots work again', async () => {
    clock = createClockForTests();
    let broken = true;
    let launches = 0;
    platform = await openPlatform({
      slots: 2,
      pool: { clock, random: () => 0.5 },
      launch: (launch) => async (wanted) => {
        launches += 1;
        if (broken) throw new VmError('boot_failed', 'The image is broken.');
        return await launch(wanted);
      },
    });
    const [build = ''] = await platform.start(1);
    const told = await platform.until(build, ({ reason }) => reason !== null);
    assert.equal(told.reason, 'no VM could be started 5 times (The image is broken.); next try in 5 s');
    assert.equal(launches, 5);
    const [next = ''] = await platform.start(1);
    const heldBack =
      'Waiting for a runner: next in line; VMs do not start at a runner, which takes no builds until one does.';
    await platform.until(next, ({ reason }) => reason === heldBack);
    clock.pass(5_000);
    await platform.until(build, ({ reason }) => /6 times.*in 10 s/.test(reason ?? ''));
    assert.equal((await platform.read(next)).reason, heldBack, 'one try at a time');
    broken = false;
    clock.pass(10_000);
    const ended = [await platform.ended(build), await platform.ended(next)];
    assert.deepEqual(
      ended.map(({ state, attempt }) => [state, attempt]),
      [
        ['passed', 1],
        ['passed', 1],
      ],
    );
    assert.equal(launches, 8);
  });
});
