import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { createDriverForTests } from '../driver-for-tests.ts';
import { createVmPool, type VmPool, type VmPoolOptions } from '../pool.ts';
import { createBootsForTests, settle } from './boots-for-tests.ts';
import { type ClockForTests, createClockForTests } from './clock-for-tests.ts';
import type { PoolEvent } from './status.ts';

const shape = { memoryMib: 1024, cpus: 1 };
const minute = 60_000;

describe('a VM pool, as time goes by', () => {
  let clock: ClockForTests;
  let boots: ReturnType<typeof createBootsForTests>;
  let events: PoolEvent[];
  let pool: VmPool;

  beforeEach(() => {
    clock = createClockForTests();
    boots = createBootsForTests();
    events = [];
  });
  afterEach(() => pool.close());

  const open = (change: Partial<VmPoolOptions> = {}) => {
    pool = createVmPool({
      ...{ driver: createDriverForTests(), boot: boots.boot, clock, random: () => 0.5 },
      ...{ min: 1, max: 1, ...shape, maxAgeMs: 100 * minute, onEvent: (event) => events.push(event) },
      ...change,
    });
  };
  const take = (change: Partial<Parameters<VmPool['take']>[0]> = {}) =>
    pool.take({ ...shape, signal: new AbortController().signal, ...change });
  const succeed = async () => {
    for (const boot of boots.boots()) boot.succeed();
    await settle();
  };
  const fail = async (times: number) => {
    for (let time = 0; time < times; time += 1) {
      boots.boots()[0]?.fail(new Error('The cable is cut.\nwith a console'));
      await settle();
    }
  };
  const pass = async (ms: number) => {
    clock.pass(ms);
    await settle();
  };
  /** While a minute passes, VMs that wait are asked four times. */
  const passMinutes = async (minutes: number) => {
    for (let quarter = 0; quarter < minutes * 4; quarter += 1) await pass(minute / 4);
  };
  /** Builds that come one after the other, while each boot takes 20 s. */
  const ask = async (times: number, change = {}) => {
    for (let build = 0; build < times; build += 1) {
      const asked = take(change);
      await pass(15_000);
      await pass(5_000);
      await succeed();
      (await asked).end();
    }
    await settle();
    await pass(15_000);
    await succeed();
  };
  const ids = () => boots.running().map(({ vm }) => vm.id);

  test('has another VM come up before it lets go of the last that became old', async () => {
    open();
    await succeed();
    await passMinutes(80);
    assert.deepEqual(
      [ids(), boots.boots().length],
      [['vm-1'], 1],
      'the old one is there while a new one boots',
    );
    await succeed();
    assert.deepEqual(ids(), ['vm-2']);
  });

  test('keeps no VM beyond its age, also when no other comes up', async () => {
    open();
    await succeed();
    await passMinutes(80);
    await fail(1);
    await passMinutes(20);
    assert.deepEqual(ids(), []);
    assert.ok(events.some(({ type, vm }) => type === 'expired' && vm === 'vm-1'));
  });

  test('replaces VMs that came up together one after the other', async () => {
    const ages = [0, 0.5, 1].values();
    open({ min: 3, max: 3, random: () => ages.next().value ?? 0 });
    await succeed();
    await passMinutes(95);
    assert.equal(boots.boots().length, 1);
    for (const left of [2, 1, 0]) {
      await succeed();
      assert.equal(ids().length, 3);
      assert.equal(ids().filter((id) => ['vm-1', 'vm-2', 'vm-3'].includes(id)).length, left);
    }
    assert.equal(boots.boots().length, 0);
  });

  test('lets a new image roll through: one VM at a time, and never less than should wait', async () => {
    open({ min: 3, max: 3 });
    await succeed();
    boots.on.image = 'image-2';
    pool.renew();
    for (const left of [2, 1, 0]) {
      assert.equal(boots.boots().length, 1, 'one at a time');
      assert.equal(ids().length, 3);
      await succeed();
      assert.equal(boots.running().filter(({ vm }) => vm.image === 'image-1').length, left);
    }
    assert.equal(boots.boots().length, 0);
  });

  test('hears of a new image from the first VM that boots it', async () => {
    open({ min: 2, max: 2 });
    await succeed();
    boots.on.image = 'image-2';
    await take();
    await succeed();
    assert.equal(boots.boots().length, 1);
    await succeed();
    const waiting = boots.running().filter(({ vm }) => vm.id !== 'vm-1');
    assert.deepEqual(
      waiting.map(({ vm }) => vm.image),
      ['image-2', 'image-2'],
    );
  });

  test('keeps more VMs when more builds come, and fewer when they stop', async () => {
    open({ min: 0, max: 5 });
    assert.equal(pool.status().target, 0);
    await ask(40);
    const { target, ready } = pool.status();
    assert.ok(target >= 2 && target <= 5, `${target}`);
    assert.ok(ready >= target);
    await passMinutes(130);
    await succeed();
    assert.deepEqual([pool.status().target, pool.status().ready], [0, 0]);
  });

  test('keeps VMs of a shape that is asked for lately, within the same bound, and forgets it later', async () => {
    open({ min: 1, max: 3 });
    await succeed();
    await ask(40, { recipe: 'node' });
    const [base, node] = pool.status().shapes;
    assert.equal(base?.target, 1);
    assert.equal(node?.recipe, 'node');
    assert.ok(node && node.target >= 1 && node.target <= 2);
    await passMinutes(130);
    await succeed();
    assert.deepEqual(
      pool.status().shapes.map(({ recipe }) => recipe),
      ['base'],
    );
  });

  test('replaces VMs of two kinds at once, as far as the bound allows, and gives up no boot for another', async () => {
    open({ min: 1, max: 3 });
    await succeed();
    await ask(3, { recipe: 'node' });
    assert.deepEqual(
      pool.status().shapes.map(({ target, ready }) => [target, ready]),
      [
        [1, 1],
        [1, 1],
      ],
    );
    const before = boots.on.started;
    pool.renew();
    await settle();
    assert.equal(boots.on.started - before, 2);
    await succeed();
    assert.equal(ids().length, 2);
    assert.equal(boots.on.started - before, 2, 'each is replaced once');
  });

  test('boots no more at once than the machine can, those that builds wait for first', async () => {
    open({ min: 0, max: 4, bootsAtOnce: 2 });
    const told: string[] = [];
    const asked = [1, 2, 3].map(() => take({ onWait: (reason) => told.push(reason) }));
    assert.equal(boots.boots().length, 2);
    assert.deepEqual(told, ['waiting for other VMs to boot: this runner boots 2 at a time']);
    await succeed();
    await succeed();
    await Promise.all(asked);
  });

  test('has no more VMs than the runner may, and makes room for a build of another size', async () => {
    open({ min: 1, max: 1, maxVms: 2 });
    await succeed();
    const first = await take();
    await succeed();
    const told: string[] = [];
    const second = take({ memoryMib: 4096, onWait: (reason) => told.push(reason) });
    assert.deepEqual(told, ['waiting for a VM to end: this runner may have 2 at a time']);
    await settle();
    assert.deepEqual(ids(), [first.vm.id], 'the VM that waited makes room');
    await succeed();
    assert.equal((await second).vm.id, 'vm-3');
  });

  test('tells builds why they wait when boots fail, and when the next is tried', async () => {
    open();
    const told: string[] = [];
    const asked = take({ onWait: (reason) => told.push(reason) });
    await fail(5);
    assert.equal(boots.boots().length, 0);
    assert.deepEqual(told, ['no VM could be started 5 times (The cable is cut.); next try in 5 s']);
    await pass(5_000);
    assert.equal(boots.boots().length, 1);
    await fail(1);
    assert.match(told.at(-1) ?? '', /6 times.*next try in 10 s/);
    await pass(10_000);
    await succeed();
    assert.equal((await asked).vm.id, 'vm-1');
    assert.equal(pool.status().breaker, 'closed');
  });

  test('boots nothing for builds that come while it is held back, and all that wait once one has come up', async () => {
    open({ min: 0, max: 0 });
    const asked = Array.from({ length: 5 }, () => take());
    await fail(5);
    assert.equal(boots.boots().length, 4, 'those under way go on');
    await fail(4);
    const more = Array.from({ length: 5 }, () => take());
    assert.equal(boots.boots().length, 0);
    await pass(5_000);
    assert.equal(boots.boots().length, 1, 'one is tried');
    await succeed();
    assert.equal(boots.boots().length, 9, 'the others follow at once');
    await succeed();
    await Promise.all([...asked, ...more]);
  });

  test('gives a build back with the reason when no VM has come up for minutes', async () => {
    open({ min: 0, max: 0 });
    const asked = assert.rejects(take(), /The cable is cut/);
    await fail(5);
    for (let probe = 0; probe < 8; probe += 1) {
      await pass(minute);
      await fail(1);
    }
    await asked;
    assert.equal(pool.status().takers, 0);
  });

  test('one kind of VM that does not boot holds back no other', async () => {
    open({ min: 0, max: 0 });
    void take({ recipe: 'node' }).catch(() => {});
    await fail(5);
    const asked = take();
    await succeed();
    assert.equal((await asked).vm.id, 'vm-1');
    assert.equal(pool.status().breaker, 'open');
  });

  test('does not create VMs without end when each breaks as soon as it is up', async () => {
    open();
    for (let boot = 0; boot < 5; boot += 1) {
      await succeed();
      boots.running()[0]?.die();
      await settle();
    }
    assert.equal(boots.boots().length, 0);
    assert.equal(pool.status().breaker, 'open');
    assert.equal(boots.on.started, 5);
  });

  test('finds a VM that froze while nobody asked for it, and has another instead', async () => {
    open();
    await succeed();
    for (const vm of boots.running()) vm.state = 'frozen';
    await pass(15_000);
    await pass(10_000);
    assert.deepEqual(ids(), []);
    assert.ok(events.some(({ type }) => type === 'unhealthy'));
    await succeed();
    assert.equal((await take()).vm.id, 'vm-2');
  });

  test('gives up the boot of a build that gives up when no VM may wait', async () => {
    open({ min: 0, max: 0 });
    const stop = new AbortController();
    const asked = assert.rejects(take({ signal: stop.signal }), /cancelled/);
    const [boot] = boots.boots();
    stop.abort(new Error('cancelled'));
    await asked;
    await settle();
    assert.ok(boot?.stopped());
    assert.deepEqual([pool.status().booting, pool.status().ready], [0, 0]);
  });

  test('tells who comes later, too, what a boot waits for', async () => {
    open();
    boots.boots()[0]?.wait('Amazon EC2 has no room.');
    const told: string[] = [];
    const asked = take({ onWait: (reason) => told.push(reason) });
    assert.deepEqual(told, ['Amazon EC2 has no room.']);
    await succeed();
    await asked;
  });
});
