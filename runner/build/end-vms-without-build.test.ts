import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import type { VmVerdict } from '../../contract/runner.ts';
import { createDriverForTests } from '../vm/driver-for-tests.ts';
import { createVmPool } from '../vm/pool.ts';
import { trackVms } from '../vm/vms-in-use.ts';
import { createVmCheck } from './end-vms-without-build.ts';

test('a VM whose build is over is ended, and none that has a build or that waits for one', async () => {
  const driver = createDriverForTests();
  const shape = { memoryMib: 1024, cpus: 1 };
  const { pool, inUse } = trackVms(createVmPool({ driver, ...shape, min: 1, max: 1, maxAgeMs: 600_000 }));
  const signal = AbortSignal.timeout(60_000);
  try {
    const forgotten = await pool.take({ ...shape, signal });
    const busy = await pool.take({ ...shape, signal });
    const windingUp = await pool.take({ ...shape, signal });
    let over = [forgotten.vm.id];
    const asked: string[][] = [];
    const request = async <T>(_method: string, _path: string, body: unknown) => {
      const { vms } = body as { vms: string[] };
      asked.push(vms);
      return { ended: vms.filter((vm) => over.includes(vm)) } satisfies VmVerdict as T;
    };
    const check = createVmCheck({ controlPlane: { request }, inUse, log: pino({ level: 'silent' }) });

    await check(signal);
    assert.ok(driver.alive.has(forgotten.vm.id), 'what has just ended is being wound up');
    over = [forgotten.vm.id, windingUp.vm.id];
    await check(signal);
    assert.equal(driver.alive.has(forgotten.vm.id), false);
    assert.ok(driver.alive.has(busy.vm.id) && driver.alive.has(windingUp.vm.id));
    await windingUp.end();
    await check(signal);
    assert.ok(driver.alive.has(busy.vm.id));
    assert.deepEqual(asked.at(-1), [busy.vm.id], 'VMs that wait have no build, and are not asked about');
  } finally {
    await pool.close();
    await driver.close();
  }
});
