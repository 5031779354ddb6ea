import assert from 'node:assert/strict';
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { buildImage } from '../../image/build-image.ts';
import { base } from '../../image/recipes.ts';
import type { VmDriver } from '../driver.ts';
import { createVmPool, type VmPool } from '../pool.ts';
import { createQemuDriver } from '../qemu/qemu-driver.ts';

const cacheDir = join(import.meta.dirname, '../../../.ebb/cache');
const signal = AbortSignal.timeout(280_000);
let runtimeDir: string;
let driver: VmDriver;
let pool: VmPool;
const booted: ((vm: string) => void)[] = [];
const gone: string[] = [];

before(async () => {
  const memory = await access('/dev/shm').then(
    () => '/dev/shm',
    () => tmpdir(),
  );
  runtimeDir = await mkdtemp(join(memory, 'ebb-frozen-test-'));
  const image = await buildImage({ recipe: base, cacheDir: join(cacheDir, 'images'), signal });
  driver = createQemuDriver({ image, runtimeDir, cacheDir });
  pool = createVmPool({
    ...{ driver, min: 1, max: 1, memoryMib: 1024, cpus: 1, maxAgeMs: 600_000 },
    onEvent({ type, vm = '' }) {
      if (type === 'booted') booted.shift()?.(vm);
      if (type === 'unhealthy' || type === 'died') gone.push(vm);
    },
  });
});
after(async () => {
  await pool?.close();
  await driver?.close();
  await rm(runtimeDir, { recursive: true, force: true });
});

test('a VM that froze while it waited is destroyed, and the build gets another', async () => {
  const frozen = await new Promise<string>((resolve) => booted.push(resolve));
  const { qemu } = JSON.parse(await readFile(join(runtimeDir, frozen, 'owner.json'), 'utf8'));
  process.kill(qemu.pid, 'SIGSTOP');
  // Until it answered too long ago to be handed out unasked.
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  const live = await pool.take({ memoryMib: 1024, cpus: 1, signal });
  assert.notEqual(live.vm.id, frozen);
  assert.deepEqual(gone, [frozen]);
  assert.deepEqual(await live.connection.exec('true'), { code: 0, signal: null });
  assert.throws(() => process.kill(qemu.pid, 0), { code: 'ESRCH' });
  await live.end();
});
