import type { Logger } from 'pino';
import type { BuildQueue } from '../../queue/build-queue.ts';
import type { Keyring } from '../custody/keyring.ts';
import type { RunnerMetrics } from '../metrics/runner-metrics.ts';
import type { VmDriver } from '../vm/driver.ts';
import type { LiveVm } from '../vm/live-vm.ts';
import type { VmPool } from '../vm/pool.ts';
import type { ControlPlane } from './control-plane.ts';

/** All that a runner works with. */
export interface RunnerContext {
  /** Unique among runners. */
  name: string;
  queue: BuildQueue;
  controlPlane: ControlPlane;
  pool: VmPool;
  /** The pool's; takes VMs over. */
  driver: Pick<VmDriver, 'name' | 'place' | 'adopt'>;
  /** Keeps account of a VM that was taken over, as the pool does of those that it hands out. */
  track?: (live: LiveVm) => LiveVm;
  /** Unwraps projects' keys. */
  keyring: Keyring;
  /** Whether the machine may have swap, to which memory of VMs could be written; false when absent. */
  allowHostSwap?: boolean;
  /** How many builds run at once. */
  slots: number;
  metrics?: Pick<RunnerMetrics, 'leaseLost'>;
  log: Logger;
  /** Aborts when the process must end and leave its builds to other runners; those that it cannot leave are given back. */
  handOver: AbortSignal;
  /** Aborts when the process must end now; builds under way are given back. */
  signal: AbortSignal;
}
