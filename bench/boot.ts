import { mkdtemp, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { buildImage } from '../runner/image/build-image.ts';
import { base } from '../runner/image/recipes.ts';
import { bootLiveVm, type LiveVm } from '../runner/vm/live-vm.ts';
import { createVmPool } from '../runner/vm/pool.ts';
import { probeKvm } from '../runner/vm/qemu/probe-kvm.ts';
import { createQemuDriver, type QemuDriverOptions } from '../runner/vm/qemu/qemu-driver.ts';
import { bootBare } from './boot-floor.ts';
import { preparePeer } from './boot-peer.ts';
import { type Measure, median, report, rounded } from './report.ts';

// From the request for a VM to a login on it, and to what the first command prints: a VM that boots, one that goes on from
// a template, one that waits in the pool. Beside them QEMU alone with the same image until SSH answers, and a peer that
// makes a fresh VM for every test. Medians of boots that take turns.
const boots = Number(process.env.EBB_BENCH_BOOTS ?? 5);
const cacheDir = resolve('.ebb/cache');
const shape = { memoryMib: 1024, cpus: 1 };
const signal = AbortSignal.timeout(60 * 60_000);
const folder = await mkdtemp('/dev/shm/ebb-bench-');

interface Times {
  login: number[];
  command: number[];
}

try {
  const image = await buildImage({ recipe: base, cacheDir: join(cacheDir, 'images'), signal });
  const accelerator = (await probeKvm(image, cacheDir)) ? 'kvm' : 'tcg';
  const peer = await preparePeer({ accelerator, ...shape, cacheDir, folder, signal });
  const open = (more: Partial<QemuDriverOptions>) =>
    createQemuDriver({ image, runtimeDir: join(folder, 'run'), cacheDir, ...more });
  const cold = open({ template: 'off' });
  const made = Promise.withResolvers<void>();
  const restoring = open({ template: 'on', onTemplate: () => made.resolve() });
  await (await restoring.launch({ id: 'vm_first', ...shape, signal })).destroy();
  await made.promise;

  const times = { cold: noTimes(), template: noTimes(), pool: noTimes() };
  const floor: number[] = [];
  for (let turn = 0; turn < boots; turn++) {
    floor.push(await bootBare(image, folder));
    await measure(times.cold, () => bootLiveVm(cold, shape, signal));
    await measure(times.template, () => bootLiveVm(restoring, shape, signal));
    await peer.boot();
  }
  await measureRefilledPool(times.pool, restoring);
  await Promise.all([cold.close(), restoring.close()]);
  report([
    ...measuresOf(times, floor),
    peer.beside('template: request to first output', times.template.command),
    peer.beside('pool: request to first output', times.pool.command),
  ]);
} finally {
  await rm(folder, { recursive: true, force: true });
}

function noTimes(): Times {
  return { login: [], command: [] };
}

async function measure(times: Times, request: () => Promise<LiveVm>): Promise<void> {
  const start = performance.now();
  const live = await request();
  times.login.push(performance.now() - start);
  const printed = Promise.withResolvers<void>();
  const command = live.connection.exec('echo ready', { onStdout: () => printed.resolve() });
  await printed.promise;
  times.command.push(performance.now() - start);
  await command;
  await live.end();
}

/** Each request comes when a VM waits and no other is booted. */
async function measureRefilledPool(times: Times, driver: ReturnType<typeof createQemuDriver>): Promise<void> {
  for (let turn = 0; turn < boots; turn++) {
    const waits = Promise.withResolvers<void>();
    const onEvent = ({ type }: { type: string }) => void (type === 'booted' && waits.resolve());
    const pool = createVmPool({ driver, min: 1, max: 1, ...shape, maxAgeMs: 600_000, onEvent });
    await waits.promise;
    await measure(times, () => pool.take({ ...shape, signal }));
    await pool.close();
  }
}

function measuresOf(times: Record<'cold' | 'template' | 'pool', Times>, floors: number[]): Measure[] {
  const bench = 'boot';
  const floor = median(floors);
  const login = median(times.cold.login);
  const [cold, template, pool] = [times.cold, times.template, times.pool].map(({ command }) =>
    median(command),
  ) as [number, number, number];
  const ms = (value: number) => ({ value: rounded(value), unit: 'ms' });
  return [
    {
      ...{ bench, measure: 'cold: request to login', ...ms(login) },
      ...{ against: `QEMU alone to SSH's banner: ${rounded(floor)} ms`, ratio: rounded(login / floor) },
      ...{ target: 'ratio <= 1.15', met: login / floor <= 1.15 },
    },
    {
      ...{ bench, measure: 'template: request to first output', ...ms(template) },
      ...{ against: `cold: ${rounded(cold)} ms`, ratio: rounded(template / cold) },
      ...{ target: 'ratio <= 0.35', met: template / cold <= 0.35 },
    },
    {
      ...{ bench, measure: 'pool: request to first output', ...ms(pool) },
      ...{ against: null, ratio: null, target: '<= 300 ms', met: pool <= 300 },
    },
  ];
}
