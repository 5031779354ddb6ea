import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { VmError } from './driver.ts';
import { createDriverForTests, type DriverForTests } from './driver-for-tests.ts';
import { createClockForTests } from './pool/clock-for-tests.ts';
import { createVmPool, type LiveVm, type VmPool, type VmPoolOptions } from './pool.ts';

const shape = { memoryMib: 1024, cpus: 1 };

describe('a VM pool', () => {
  let driver: DriverForTests;
  let events: EventEmitter;
  let pool: VmPool;
  let taken: LiveVm[];

  beforeEach(() => {
    driver = createDriverForTests();
    events = new EventEmitter();
    taken = [];
  });
  afterEach(async () => {
    await pool.close();
    await Promise.all(taken.map((live) => live.end()));
    await driver.close();
  });

  const open = (change: Partial<VmPoolOptions> = {}) => {
    const onEvent: VmPoolOptions['onEvent'] = (event) => events.emit(event.type, event);
    pool = createVmPool({ driver, min: 1, max: 1, ...shape, maxAgeMs: 3_600_000, onEvent, ...change });
  };
  const take = async (change: Partial<Parameters<VmPool['take']>[0]> = {}) => {
    const live = await pool.take({ ...shape, signal: new AbortController().signal, ...change });
    taken.push(live);
    return live;
  };
  const booted = () => once(events, 'booted');
  /** Holds boots until it is called. */
  const holdBoots = (): (() => void) => {
    let release = () => {};
    driver.gate = new Promise((resolve) => {
      release = resolve;
    });
    return release;
  };

  test('hands out the VM that waits, then boots the next', async () => {
    open();
    await booted();
    const refilled = booted();
    const live = await take();
    assert.equal(live.vm.id, driver.launched[0]);
    await refilled;
    assert.equal(driver.launched.length, 2);
  });

  test('does not hand out a VM of another image than was asked for', async () => {
    open();
    await booted();
    const live = await take({ recipe: 'node' });
    assert.notEqual(live.vm.id, driver.launched[0]);
    assert.deepEqual(driver.recipes, ['base', 'node']);
  });

  test('hands out each VM once, to however many ask at the same time', async () => {
    open({ min: 2, max: 2 });
    await booted();
    const lives = await Promise.all([take(), take(), take(), take()]);
    assert.equal(new Set(lives.map((live) => live.vm.id)).size, 4);
    assert.ok(lives.every((live) => !live.connection.closed.aborted));
  });

  test('sends a heartbeat to a VM as soon as it is up', async () => {
    open({ min: 0, max: 0 });
    const live = await take();
    while (driver.heartbeats.get(live.vm.id) === 0) await new Promise(setImmediate);
    assert.equal(driver.heartbeats.get(live.vm.id), 1);
  });

  test('boots a VM of another shape for who asks for one, and keeps the one that waits', async () => {
    open();
    await booted();
    const live = await take({ memoryMib: 2048 });
    assert.equal(live.vm.memoryMib, 2048);
    assert.equal(driver.launched.length, 2);
    assert.equal((await take()).vm.id, driver.launched[0]);
  });

  test('of size 0 boots only on demand', async () => {
    open({ min: 0, max: 0 });
    await take();
    assert.equal(driver.launched.length, 1);
  });

  test('gives the VM that is just being booted ahead, instead of booting another beside it', async () => {
    const release = holdBoots();
    open();
    const asked = take();
    await settle();
    assert.equal(driver.launched.length, 1);
    release();
    assert.equal((await asked).vm.id, driver.launched[0]);
  });

  test('who gives up leaves the VM that was on its way to the next', async () => {
    const release = holdBoots();
    open();
    const stop = new AbortController();
    const given = take({ signal: stop.signal });
    stop.abort(new Error('cancelled'));
    await assert.rejects(given, /cancelled/);
    const waits = booted();
    release();
    await waits;
    assert.equal((await take()).vm.id, driver.launched[0]);
  });

  test('tries a second VM when the first does not boot', async () => {
    driver.failNext = 1;
    open({ min: 0, max: 0 });
    await take();
    assert.equal(driver.launched.length, 2);
  });

  test('tries a second VM also when it counted on one that was booted ahead', async () => {
    driver.failNext = 1;
    const release = holdBoots();
    open();
    const asked = take();
    release();
    assert.equal((await asked).vm.id, driver.launched[1]);
  });

  test('fails at once with what to change when no VM of that kind can come up', async () => {
    driver.failure = new VmError('setting', 'This runner has no image node.');
    driver.failNext = 1;
    open({ min: 0, max: 0 });
    await assert.rejects(take({ recipe: 'node' }), /no image node/);
    assert.equal(driver.launched.length, 1);
  });

  test('does not hand out a VM that died while it waited', async () => {
    open();
    await booted();
    const [first = ''] = driver.launched;
    const died = once(events, 'died');
    const refilled = booted();
    await driver.cut(first);
    assert.equal((await died)[0].vm, first);
    await refilled;
    assert.equal((await take()).vm.id, driver.launched[1]);
  });

  test('destroys a VM that waited too long, and boots another', async () => {
    open({ maxAgeMs: 20 });
    await booted();
    const refilled = booted();
    const [expired] = await once(events, 'expired');
    assert.equal(expired.vm, driver.launched[0]);
    await refilled;
    assert.equal(driver.alive.has(expired.vm), false);
  });

  test('does not hand out a VM that froze while it waited', async () => {
    const clock = createClockForTests();
    open({ clock });
    await booted();
    const [frozen = ''] = driver.launched;
    driver.commands.set('true', ({ vm }) => (vm === frozen ? new Promise(() => {}) : Promise.resolve(0)));
    clock.pass(3_000);
    const unhealthy = once(events, 'unhealthy');
    const asked = take();
    await settle();
    clock.pass(10_000);
    assert.equal((await unhealthy)[0].vm, frozen);
    assert.equal((await asked).vm.id, driver.launched[1]);
    assert.equal(driver.alive.has(frozen), false);
  });

  test('closed, leaves no VM that waits or boots, and hands out none', async () => {
    open({ min: 2, max: 2 });
    await booted();
    driver.gate = new Promise(() => {});
    const asked = assert.rejects(take({ memoryMib: 2048 }));
    await pool.close();
    await asked;
    assert.deepEqual([...driver.alive], []);
    await assert.rejects(take(), /closing/);
  });
});

/** Lets everything run that needs no timer. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
}
