import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom } from '../../../test/seeded-random.ts';
import { VmError } from '../driver.ts';
import { type Ec2Rig, openEc2Rig } from './ec2-rig-for-tests.ts';
import type { Fault } from './fault-proxy.ts';
import { tagNames } from './instance.ts';

// npm run test:ec2-random sets 500; a seed that failed is tried again with EBB_EC2_SEED.
const runs = Number(process.env.EBB_EC2_RUNS ?? 24);
const atOnce = 6;
const vmsOfRun = 3;
// The emulator never forgets an instance and looks through all of them at each call.
const runsOfEmulator = 40;

const anyCall: Fault[] = ['throttle', 'internal_error', 'reset_before', 'drop_after', 'truncate', 'hang'];
const ofLaunch: Fault[] = [...anyCall, 'capacity', 'capacity', 'drop_after', 'quota'];

/**
 * A runner launches VMs, uses and ends some of them, loses calls and answers all the while, and in half of the runs is
 * cut off from EC2 for good. Then another runner reaps. Every launch has an end, no VM has two instances, and at the
 * end only what a living runner owns is there.
 */
async function runOnce(rig: Ec2Rig, seed: number): Promise<void> {
  const random = createRandom(seed);
  const deployment = `random-${seed}`;
  const faultRate = 0.15 + random() * 0.35;
  const dies = random() < 0.5;
  let cut = false;
  const fault = (action: string): Fault => {
    if (cut) return 'reset_before';
    if (random() > faultRate) return 'none';
    const list = action === 'RunInstances' ? ofLaunch : anyCall;
    return list[Math.floor(random() * list.length)] ?? 'none';
  };
  const first = await rig.openDriver({
    deployment,
    runner: 'first',
    fault,
    bootTimeoutMs: 8_000,
    endPatienceMs: 4_000,
  });
  const launches = Array.from({ length: vmsOfRun }, async (_, index) => {
    const patienceMs = random() < 0.3 ? Math.round(300 + random() * 2_000) : 15_000;
    const vm = await first.driver
      .launch({
        id: `vm_${seed}_${index}`,
        memoryMib: 2048,
        cpus: 1,
        signal: AbortSignal.timeout(patienceMs),
      })
      .catch((error) => {
        assert.ok(error instanceof VmError, String(error));
      });
    if (vm && random() < 0.6) await vm.destroy().catch(() => undefined);
  });
  if (dies) {
    await delay(random() * 2_000);
    cut = true;
  }
  await Promise.all(launches);
  if (!dies) await first.driver.close().catch(() => undefined);

  const second = await rig.openDriver({
    deployment,
    runner: 'second',
    isAlive: async () => false,
    bootTimeoutMs: 120_000,
  });
  const kept = await second.driver.launch({
    id: `vm_${seed}_kept`,
    memoryMib: 2048,
    cpus: 1,
    signal: AbortSignal.timeout(120_000),
  });
  await second.driver.reap();
  const all = await rig.instances(deployment);
  const perVm = new Map<string, number>();
  for (const { tags } of all)
    perVm.set(tags[tagNames.vm] ?? '', (perVm.get(tags[tagNames.vm] ?? '') ?? 0) + 1);
  for (const [vm, count] of perVm) assert.equal(count, 1, `${vm} has ${count} instances`);
  assert.deepEqual(await rig.alive(deployment), [kept.id]);
  await kept.destroy();
  assert.deepEqual(await rig.alive(deployment), []);
}

test(`over ${runs} random runs no instance is left unowned and none is doubled`, async () => {
  const base = Number(process.env.EBB_EC2_SEED ?? 1);
  const seeds = process.env.EBB_EC2_SEED ? [base] : Array.from({ length: runs }, (_, index) => base + index);
  while (seeds.length > 0) await runAll(seeds.splice(0, runsOfEmulator));
});

async function runAll(seeds: number[]): Promise<void> {
  const rig = await openEc2Rig();
  const failures: unknown[] = [];
  const workers = Array.from({ length: atOnce }, async () => {
    for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
      await runOnce(rig, seed).catch((cause) => {
        failures.push(new Error(`EBB_EC2_SEED=${seed} fails: ${cause}`, { cause }));
        seeds.length = 0;
      });
    }
  });
  await Promise.all(workers);
  await rig.close();
  if (failures.length > 0) throw failures[0];
}
