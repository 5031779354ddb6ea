import { randomBytes } from 'node:crypto';
import { connect, type SshSession } from '../ssh/connection.ts';
import type { Vm, VmDriver } from './driver.ts';
import { keepAlive } from './heartbeat.ts';

/** A VM with the runner's connection to it, as root. */
export interface LiveVm {
  vm: Vm;
  connection: SshSession;
  /** Closes the connection and destroys the VM. May be called again. */
  end(): Promise<void>;
}

export interface VmPool {
  /** A fresh VM that nobody had before: one that waits, or a new one. Tries a second VM when the first does not boot. */
  take(shape: { memoryMib: number; cpus: number; signal: AbortSignal }): Promise<LiveVm>;
  /** Destroys the VMs that wait, and boots no more. */
  close(): Promise<void>;
}

export interface VmPoolOptions {
  driver: VmDriver;
  /** How many VMs wait. */
  size: number;
  memoryMib: number;
  cpus: number;
  /** A VM that waited longer is destroyed and another booted. */
  maxAgeMs: number;
  onEvent?: (event: {
    type: 'booted' | 'boot_failed' | 'expired' | 'died';
    vm?: string;
    error?: string;
  }) => void;
}

const connectTimeoutMs = 30_000;
// Boots that keep failing must not keep a core busy.
const backoffMs = { first: 1_000, last: 60_000 };

/** Keeps VMs booted ahead of demand. Each is handed out once. */
export function createVmPool(options: VmPoolOptions): VmPool {
  const closing = new AbortController();
  const waiting: { live: LiveVm; since: number }[] = [];
  let booting = 0;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  const tell = options.onEvent ?? (() => {});

  const refill = () => {
    if (closing.signal.aborted || timer) return;
    while (waiting.length + booting < options.size) {
      booting += 1;
      void bootAhead();
    }
  };
  const bootAhead = async () => {
    try {
      const live = await boot(options.driver, { ...options, signal: closing.signal });
      failures = 0;
      tell({ type: 'booted', vm: live.vm.id });
      if (closing.signal.aborted) await live.end();
      else keep(live);
    } catch (error) {
      failures += 1;
      tell({ type: 'boot_failed', error: String(error) });
      if (!closing.signal.aborted) {
        const wait = Math.min(backoffMs.first * 2 ** (failures - 1), backoffMs.last);
        timer ??= setTimeout(() => {
          timer = undefined;
          refill();
        }, wait);
      }
    } finally {
      booting -= 1;
    }
    refill();
  };
  const keep = (live: LiveVm) => {
    const entry = { live, since: performance.now() };
    waiting.push(entry);
    const drop = (type: 'died' | 'expired') => {
      const at = waiting.indexOf(entry);
      if (at === -1) return;
      waiting.splice(at, 1);
      tell({ type, vm: live.vm.id });
      void live.end().then(refill);
    };
    live.connection.closed.addEventListener('abort', () => drop('died'), { once: true });
    setTimeout(() => drop('expired'), options.maxAgeMs).unref();
  };
  refill();

  return {
    async take({ memoryMib, cpus, signal }) {
      const at = waiting.findIndex(({ live }) => live.vm.memoryMib === memoryMib && live.vm.cpus === cpus);
      const [ready] = at === -1 ? [] : waiting.splice(at, 1);
      refill();
      if (ready) return ready.live;
      const shape = { memoryMib, cpus, signal: AbortSignal.any([signal, closing.signal]) };
      return await boot(options.driver, shape).catch((error) => {
        shape.signal.throwIfAborted();
        tell({ type: 'boot_failed', error: String(error) });
        return boot(options.driver, shape);
      });
    },
    async close() {
      closing.abort(new Error('The pool is closing.'));
      clearTimeout(timer);
      await Promise.all(waiting.splice(0).map(({ live }) => live.end()));
    },
  };
}

async function boot(
  driver: VmDriver,
  shape: { memoryMib: number; cpus: number; signal: AbortSignal },
): Promise<LiveVm> {
  const { memoryMib, cpus, signal } = shape;
  const vm = await driver.launch({ id: `vm_${randomBytes(10).toString('hex')}`, memoryMib, cpus, signal });
  try {
    const connection = await connect({
      host: vm.host,
      port: vm.port,
      username: 'root',
      privateKey: vm.clientKey,
      hostKey: vm.hostKey,
      signal,
      timeoutMs: connectTimeoutMs,
    });
    const heartbeat = keepAlive(connection);
    const end = async () => {
      heartbeat.stop();
      await vm.destroy();
      await connection.close();
    };
    return { vm, connection, end };
  } catch (error) {
    await vm.destroy();
    throw error;
  }
}
