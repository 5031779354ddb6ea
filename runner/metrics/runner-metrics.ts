import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type VmDriver, VmError, type VmLaunch } from '../vm/driver.ts';
import type { PoolStatus } from '../vm/pool/status.ts';

const breakerStates = ['closed', 'half_open', 'open'] as const;
const bootResults = ['ready', 'boot_failed', 'boot_timeout', 'aborted', 'setting', 'gone', 'failed'] as const;
type BootResult = (typeof bootResults)[number];

/** What a runner counts; no label can hold an id or a name of a team. */
export interface RunnerMetrics {
  registry: Registry;
  leaseLost(): void;
  /** The driver, its boots and reaps counted. */
  countVms(driver: VmDriver): VmDriver;
  /** Shows how many VMs wait, at each scrape. */
  watchPool(pool: { status(): Pick<PoolStatus, 'ready' | 'breaker'> }): void;
}

export function createRunnerMetrics(): RunnerMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const leases = new Counter({
    name: 'ebb_leases_lost_total',
    help: 'Builds whose lease this runner lost while it ran them.',
    registers,
  });
  return {
    registry,
    leaseLost: () => leases.inc(),
    countVms: createVmCounter(registry),
    watchPool(pool) {
      new Gauge({
        name: 'ebb_vm_pool_ready',
        help: 'Fresh VMs that wait for a build.',
        registers,
        collect() {
          this.set(pool.status().ready);
        },
      });
      new Gauge({
        name: 'ebb_vm_breaker_state',
        help: 'Whether VMs may be booted (closed), are tried one by one (half_open), or not booted for now (open): 1 for what is so.',
        labelNames: ['state'],
        registers,
        collect() {
          const { breaker } = pool.status();
          for (const state of breakerStates) this.set({ state }, state === breaker ? 1 : 0);
        },
      });
    },
  };
}

function createVmCounter(registry: Registry): RunnerMetrics['countVms'] {
  const registers = [registry];
  const boots = new Counter({
    name: 'ebb_vm_boots_total',
    help: 'Boots of VMs, by how they ended.',
    labelNames: ['result'],
    registers,
  });
  const seconds = new Histogram({
    name: 'ebb_vm_boot_seconds',
    help: 'Time from the launch of a VM until its SSH server listens.',
    buckets: [0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300],
    registers,
  });
  const reaped = new Counter({
    name: 'ebb_vms_reaped_total',
    help: 'VMs of dead runners that this one ended.',
    registers,
  });
  for (const result of bootResults) boots.inc({ result }, 0);

  return (driver) => ({
    ...driver,
    async launch(launch: VmLaunch) {
      const took = seconds.startTimer();
      try {
        const vm = await driver.launch(launch);
        took();
        boots.inc({ result: 'ready' });
        return vm;
      } catch (error) {
        const result: BootResult = error instanceof VmError ? error.code : 'failed';
        boots.inc({ result });
        throw error;
      }
    },
    async reap() {
      const vms = await driver.reap();
      reaped.inc(vms.length);
      return vms;
    },
  });
}
