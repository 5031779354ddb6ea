import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createDriverForTests } from '../driver-for-tests.ts';
import { createVmPool, type LiveVm } from '../pool.ts';
import { createBootsForTests, type PretendedVm, settle } from './boots-for-tests.ts';
import { createClockForTests } from './clock-for-tests.ts';

const shapes = [
  { memoryMib: 1024, cpus: 1, recipe: 'base' },
  { memoryMib: 2048, cpus: 1, recipe: 'base' },
  { memoryMib: 1024, cpus: 1, recipe: 'node' },
];
const which = fc.nat({ max: 20 });
const command = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('take' as const), which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('give_up' as const), which }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('boot' as const), which }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('boot_fails' as const), which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('die' as const), which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('freeze' as const), which }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('finish' as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('new_image' as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('renew' as const), which }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('time' as const),
      which: fc.constantFrom(100, 3_000, 20_000, 90_000, 1_900_000),
    }),
  },
);
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

const bounds = fc
  .record({
    ...{ min: fc.nat({ max: 2 }), more: fc.nat({ max: 3 }) },
    ...{ slots: fc.integer({ min: 1, max: 6 }), bootsAtOnce: fc.integer({ min: 1, max: 4 }) },
  })
  .map(({ min, more, slots, bootsAtOnce }) => ({
    ...{ min, max: min + more, maxVms: min + more + slots, bootsAtOnce },
  }));
type Bounds = typeof bounds extends fc.Arbitrary<infer T> ? T : never;

interface Ask {
  shape: number;
  stop: AbortController;
  outcome?: { live: LiveVm } | { error: unknown };
}

/** The pool under test with all that the world knows of it. */
function openWorld(options: Bounds, random: () => number) {
  const clock = createClockForTests();
  const boots = createBootsForTests();
  const asks: Ask[] = [];
  const given: PretendedVm[] = [];
  const pool = createVmPool({
    ...{ driver: createDriverForTests(), boot: boots.boot, ...options },
    ...{ memoryMib: 1024, cpus: 1, maxAgeMs: 1_800_000, clock, random },
  });
  const take = (shape: number) => {
    const ask: Ask = { shape, stop: new AbortController() };
    asks.push(ask);
    pool.take({ ...(shapes[shape] ?? assert.fail()), signal: ask.stop.signal }).then(
      (live) => {
        ask.outcome = { live };
        given.push(live as PretendedVm);
      },
      (error) => {
        ask.outcome = { error };
      },
    );
  };
  const waiting = () => asks.filter(({ outcome }) => !outcome);
  const idle = () => boots.running().filter((vm) => !given.includes(vm));
  const obey = ({ kind, which: at }: Command) => {
    const pick = <T>(of: T[]): T | undefined => of[at % Math.max(1, of.length)];
    if (kind === 'take') take(at % shapes.length);
    if (kind === 'give_up') pick(waiting())?.stop.abort(new Error('cancelled'));
    if (kind === 'boot') pick(boots.boots())?.succeed();
    if (kind === 'boot_fails') pick(boots.boots())?.fail();
    if (kind === 'die') pick(boots.running())?.die();
    if (kind === 'freeze') for (const vm of [pick(idle())]) if (vm) vm.state = 'frozen';
    if (kind === 'finish') pick(given.filter(({ state }) => state !== 'gone'))?.die();
    if (kind === 'new_image') boots.on.image = `image-${at}`;
    if (kind === 'renew') pool.renew();
    if (kind === 'time') clock.pass(at);
  };
  return { ...{ clock, boots, asks, given, pool, take, waiting, idle, obey } };
}
type World = ReturnType<typeof openWorld>;

function check({ pool, boots, given, asks, waiting, idle }: World, options: Bounds): void {
  assert.equal(new Set(given).size, given.length, 'no VM is handed out twice');
  assert.ok(boots.boots().length <= options.bootsAtOnce, 'boots at once');
  assert.ok(boots.running().length + boots.boots().length <= options.maxVms, 'VMs at once');
  const { ready, booting, takers, used } = pool.status();
  assert.equal(takers, waiting().length);
  assert.deepEqual([ready, booting], [idle().length, boots.boots().length], 'nothing is leaked');
  assert.equal(used, given.filter(({ state }) => state !== 'gone').length);
  assert.ok(ready + booting - takers <= options.max + 1, 'no more wait than may');
  const full = booting >= options.bootsAtOnce || ready + booting + used >= options.maxVms;
  for (const { ready: up, booting: coming, takers: wanting, breaker } of pool.status().shapes) {
    const covered = up + coming >= wanting;
    assert.ok(covered || full || breaker !== 'closed', 'whoever waits has a boot under way or a cause');
    if (!covered && breaker === 'half_open' && !full) assert.ok(up + coming > 0, 'a probe is under way');
  }
  for (const shape of [0, 1, 2]) {
    const firstWaiting = asks.findIndex((ask) => ask.shape === shape && !ask.outcome);
    const later = firstWaiting < 0 ? [] : asks.slice(firstWaiting).filter((ask) => ask.shape === shape);
    assert.ok(!later.some(({ outcome }) => outcome && 'live' in outcome), 'first come, first served');
  }
}

/** From now on everything goes well; then nobody may be left waiting. */
async function heal(world: World): Promise<void> {
  for (let round = 0; round < 200 && world.waiting().length > 0; round += 1) {
    for (const boot of world.boots.boots()) boot.succeed();
    await settle();
    for (const vm of world.given) vm.die();
    world.clock.pass(20_000);
    await settle();
  }
  assert.deepEqual(world.waiting(), [], 'everyone gets a VM in the end');
}

async function closeAndCheck({ pool, boots, given, clock, take, waiting }: World): Promise<void> {
  take(0);
  const closed = pool.close();
  await settle();
  await closed;
  assert.deepEqual([waiting(), boots.boots()], [[], []], 'nobody waits for a closed pool');
  assert.ok(boots.running().every((vm) => given.includes(vm)));
  assert.equal(clock.pending(), 0, 'no timer is left');
}

test('in whatever order builds come and go and VMs boot, fail, die and age, the pool keeps its promises', async () => {
  await fc.assert(
    fc.asyncProperty(
      ...([bounds, fc.array(command, { minLength: 10, maxLength: 80, size: 'max' })] as const),
      ...([fc.double({ min: 0, max: 1, noNaN: true }), fc.boolean()] as const),
      async (options, commands, random, heals) => {
        const world = openWorld(options, () => random);
        await settle();
        check(world, options);
        for (const one of commands) {
          world.obey(one);
          await settle();
          check(world, options);
        }
        if (heals) await heal(world);
        await closeAndCheck(world);
      },
    ),
    { numRuns: Number(process.env.EBB_MODEL_RUNS ?? 150) },
  );
});
