import { mkdtemp, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { buildImage, type Image } from '../runner/image/build-image.ts';
import { createProgramCache } from '../runner/image/measured/measured-program.ts';
import { base } from '../runner/image/recipes.ts';
import { bootLiveVm } from '../runner/vm/live-vm.ts';
import { createQemuDriver } from '../runner/vm/qemu/qemu-driver.ts';
import { median, report, rounded } from './report.ts';

// What measured boot costs: from the launch of a VM to a login on it, and the check of its quote, each the median of
// boots that take turns with boots without it.
const boots = Number(process.env.EBB_BENCH_BOOTS ?? 5);
const cacheDir = resolve('.ebb/cache');
const signal = AbortSignal.timeout(30 * 60_000);
const runtimeDir = await mkdtemp('/dev/shm/ebb-bench-');
try {
  const images = join(cacheDir, 'images');
  const image = await buildImage({ recipe: base, cacheDir: images, signal });
  const measuredProgram = createProgramCache(images);
  await measuredProgram(image, signal);
  const times = { kernel: [] as number[], measured: [] as number[], check: [] as number[] };
  for (let turn = 0; turn < boots; turn++) {
    times.kernel.push((await boot(image)).boot);
    const { boot: measured, check } = await boot(image, measuredProgram);
    times.measured.push(measured);
    times.check.push(check);
  }
  const kernel = median(times.kernel);
  const measured = median(times.measured);
  const check = median(times.check);
  const bench = 'measured-boot';
  report([
    {
      ...{ bench, measure: 'boot to login, measured', value: rounded(measured), unit: 'ms' },
      ...{ against: `without: ${rounded(kernel)} ms`, ratio: rounded(measured / kernel) },
      ...{ target: 'ratio <= 5', met: measured / kernel <= 5 },
    },
    {
      ...{ bench, measure: 'quote asked for and judged', value: rounded(check), unit: 'ms' },
      ...{ against: null, ratio: null, target: '<= 2000 ms', met: check <= 2000 },
    },
  ]);
} finally {
  await rm(runtimeDir, { recursive: true, force: true });
}

async function boot(image: Image, measuredProgram?: ReturnType<typeof createProgramCache>) {
  const driver = createQemuDriver({
    ...{ image, runtimeDir, cacheDir },
    ...(measuredProgram && { measuredProgram }),
  });
  const start = performance.now();
  const live = await bootLiveVm(driver, { memoryMib: 1024, cpus: 1 }, signal);
  const up = performance.now();
  const verdict = await live.vm.attest?.(live.connection, signal);
  if (verdict && !verdict.ok) throw new Error(verdict.violations.join('; '));
  const checked = performance.now();
  await live.end();
  await driver.close();
  return { boot: up - start, check: checked - up };
}
