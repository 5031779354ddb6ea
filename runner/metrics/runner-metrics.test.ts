import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseExposition } from '../../contract/exposition-for-tests.ts';
import { createDriverForTests } from '../vm/driver-for-tests.ts';
import { createVmPool } from '../vm/pool.ts';
import { createRunnerMetrics } from './runner-metrics.ts';

test('boots are counted by how they ended, with how long they took, and VMs that wait are shown', async () => {
  const driver = createDriverForTests();
  driver.failNext = 1;
  const metrics = createRunnerMetrics();
  const shape = { memoryMib: 1024, cpus: 1 };
  const counted = metrics.countVms(driver);
  const pool = createVmPool({ driver: counted, ...shape, min: 0, max: 0, maxAgeMs: 600_000 });
  metrics.watchPool(pool);
  try {
    const live = await pool.take({ ...shape, signal: AbortSignal.timeout(60_000) });
    await live.end();
    metrics.leaseLost();
    const families = parseExposition(await metrics.registry.metrics());
    const value = (family: string, labels: Record<string, string> = {}) =>
      families
        .get(family)
        ?.samples.find((one) => Object.entries(labels).every(([name, text]) => one.labels[name] === text))
        ?.value;
    assert.equal(value('ebb_vm_boots_total', { result: 'ready' }), 1);
    assert.equal(value('ebb_vm_boots_total', { result: 'boot_failed' }), 1);
    assert.equal(value('ebb_vm_boot_seconds', { le: '+Inf' }), 1);
    assert.equal(value('ebb_vm_pool_ready'), 0);
    assert.equal(value('ebb_vm_breaker_state', { state: 'closed' }), 1);
    assert.equal(value('ebb_leases_lost_total'), 1);
  } finally {
    await pool.close();
    await driver.close();
  }
});
