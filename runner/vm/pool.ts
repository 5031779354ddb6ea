import type { VmDriver } from './driver.ts';
import { bootLiveVm, type LiveVm, type VmShape } from './live-vm.ts';

export type { LiveVm } from './live-vm.ts';

export interface VmPool {
  /**
   * A fresh VM that nobody had before: one that waits, the next that is being booted ahead, or a new one. Tries a
   * second VM when the first does not boot. Throws VmError or SshError, or the reason of `signal`.
   */
  take(
    wanted: VmShape & {
      signal: AbortSignal;
      /** Told each time when the boot has to wait for something. */
      onWait?: (reason: string) => void;
    },
  ): Promise<LiveVm>;
  /** How many VMs wait; and the breaker that keeps boots from being tried, where there is one. */
  status(): { ready: number; breaker?: 'closed' | 'half_open' | 'open' };
  /** Destroys the VMs that wait or boot, and boots no more; resolves when they are gone. */
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

interface Taker {
  resolve(live: LiveVm): void;
  reject(error: unknown): void;
  onWait?: ((reason: string) => void) | undefined;
}

interface Waiting {
  live: LiveVm;
  /** Aborted when it waits no more. */
  left: AbortController;
}

// Boots that keep failing must not keep a core busy.
const backoffMs = { first: 1_000, last: 60_000 };

/** Keeps VMs booted ahead of demand. Each is handed out once. */
export function createVmPool(options: VmPoolOptions): VmPool {
  const { driver, size, maxAgeMs } = options;
  const tell = options.onEvent ?? (() => {});
  const closing = new AbortController();
  const waiting = new Set<Waiting>();
  /** Builds that wait for a VM that is being booted ahead; never more than there are of those. */
  const takers: Taker[] = [];
  const underWay = new Set<Promise<unknown>>();
  let booting = 0;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;

  /** So that `close` waits for it. */
  const track = <T>(work: Promise<T>): Promise<T> => {
    const settled: Promise<unknown> = work.then(
      () => underWay.delete(settled),
      () => underWay.delete(settled),
    );
    underWay.add(settled);
    return work;
  };
  const refill = () => {
    if (closing.signal.aborted || timer) return;
    while (waiting.size + booting - takers.length < size) {
      booting += 1;
      void track(bootAhead());
    }
  };
  const bootAhead = async () => {
    const tellTakers = (reason: string) => {
      for (const { onWait } of takers) onWait?.(reason);
    };
    const boot = bootLiveVm(driver, options, closing.signal, tellTakers).finally(() => {
      booting -= 1;
    });
    const live = await boot.catch(failed);
    if (live) {
      failures = 0;
      tell({ type: 'booted', vm: live.vm.id });
      const taker = takers.shift();
      if (taker) taker.resolve(live);
      else if (closing.signal.aborted) await live.end();
      else keep(live);
    }
    refill();
  };
  const failed = (error: unknown) => {
    if (!closing.signal.aborted) {
      tell({ type: 'boot_failed', error: String(error) });
      backOff();
    }
    takers.shift()?.reject(error);
  };
  const backOff = () => {
    const wait = Math.min(backoffMs.first * 2 ** failures, backoffMs.last);
    failures += 1;
    timer ??= setTimeout(() => {
      timer = undefined;
      refill();
    }, wait);
  };
  const keep = (live: LiveVm) => {
    const entry: Waiting = { live, left: new AbortController() };
    waiting.add(entry);
    const drop = (type: 'died' | 'expired') => {
      if (!leave(entry)) return;
      tell({ type, vm: live.vm.id });
      void track(live.end()).then(refill, refill);
    };
    const age = setTimeout(drop, maxAgeMs, 'expired');
    entry.left.signal.addEventListener('abort', () => clearTimeout(age));
    live.connection.closed.addEventListener('abort', () => drop('died'), { signal: entry.left.signal });
    void live.vm.exited.then(() => drop('died'));
    if (live.connection.closed.aborted) drop('died');
  };
  const leave = (entry: Waiting): boolean => {
    entry.left.abort();
    return waiting.delete(entry);
  };
  /** The next VM that is booted ahead; when `signal` aborts first, that VM waits for somebody else. */
  const adopt = (signal: AbortSignal, onWait?: (reason: string) => void) => {
    const done = new AbortController();
    return new Promise<LiveVm>((resolve, reject) => {
      const taker: Taker = { resolve, reject, onWait };
      takers.push(taker);
      const giveUp = () => {
        const at = takers.indexOf(taker);
        if (at !== -1) takers.splice(at, 1);
        reject(signal.reason);
      };
      signal.addEventListener('abort', giveUp, { once: true, signal: done.signal });
    }).finally(() => done.abort());
  };
  refill();

  return {
    async take({ memoryMib, cpus, recipe = 'base', signal, onWait }) {
      const either = AbortSignal.any([signal, closing.signal]);
      either.throwIfAborted();
      // Only VMs of the image that most projects have wait ahead.
      const pooled = memoryMib === options.memoryMib && cpus === options.cpus && recipe === 'base';
      const [ready] = pooled ? waiting : [];
      if (ready) {
        leave(ready);
        refill();
        return ready.live;
      }
      const boot = () => track(bootLiveVm(driver, { memoryMib, cpus, recipe }, either, onWait));
      const first = pooled && takers.length < booting ? adopt(signal, onWait) : boot();
      return await first.catch((error) => {
        either.throwIfAborted();
        tell({ type: 'boot_failed', error: String(error) });
        return boot();
      });
    },
    status: () => ({ ready: waiting.size }),
    async close() {
      closing.abort(new Error('The pool is closing.'));
      clearTimeout(timer);
      for (const entry of [...waiting]) {
        leave(entry);
        void track(entry.live.end());
      }
      while (underWay.size > 0) await Promise.all(underWay);
    },
  };
}
