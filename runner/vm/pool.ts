import type { VmDriver } from './driver.ts';
import { bootLiveVm, type LiveVm, type VmShape } from './live-vm.ts';
import { stopBoot } from './pool/boot.ts';
import { createBreaker } from './pool/breaker.ts';
import { type Clock, systemClock } from './pool/clock.ts';
import { createLine, type Line, type Taker } from './pool/line.ts';
import { act, nextTryInMs } from './pool/plan.ts';
import { type BootVm, dropReady, type PoolState, tellOf } from './pool/pool-state.ts';
import { type PoolEvent, type PoolStatus, statusOf } from './pool/status.ts';

export type { LiveVm } from './live-vm.ts';

export interface VmPool {
  /**
   * A fresh VM that nobody had before: one that waits, or the next that comes up; first come first served. Waits while
   * boots fail, and tells why. Throws the last VmError or SshError when none came up for long or none can, or the
   * reason of `signal`.
   */
  take(
    wanted: VmShape & {
      signal: AbortSignal;
      /** Told each time when the boot has to wait for something. */
      onWait?: (reason: string) => void;
    },
  ): Promise<LiveVm>;
  /** Replaces all VMs that wait, one after the other: what new ones boot has changed. */
  renew(): void;
  status(): PoolStatus;
  /** Destroys the VMs that wait or boot, and boots no more; resolves when they are gone. */
  close(): Promise<void>;
}

export interface VmPoolOptions {
  driver: VmDriver;
  /** How many VMs of the size below wait at least. */
  min: number;
  /** How many VMs wait at most, of all shapes together; not less than `min`. */
  max: number;
  memoryMib: number;
  cpus: number;
  /** How many VMs there are at most, those that builds have included; any number when absent. */
  maxVms?: number;
  /** How many boot at once; any number when absent. */
  bootsAtOnce?: number;
  /** A VM that waited so long is destroyed; another takes its place before. */
  maxAgeMs: number;
  /** After how long a build is not kept waiting while boots fail again and again; 5 minutes when absent. */
  patienceMs?: number;
  onEvent?: (event: PoolEvent) => void;
  /** Instead of `bootLiveVm`; given by tests. */
  boot?: BootVm;
  /** Given by tests. */
  clock?: Clock;
  /** From 0 to 1; given by tests. */
  random?: () => number;
}

const defaultPatienceMs = 5 * 60_000;

/** Keeps VMs booted ahead of demand, as many as are likely to be asked for. Each is handed out once. */
export function createVmPool(options: VmPoolOptions): VmPool {
  const closing = new AbortController();
  const underWay = new Set<Promise<void>>();
  const { clock = systemClock, random = Math.random, memoryMib, cpus } = options;
  let order = 0;
  let stopWaiting = () => {};

  const turn = onceAtATime(() => {
    stopWaiting();
    if (closing.signal.aborted) return;
    act(pool);
    const ms = nextTryInMs(pool);
    stopWaiting = ms === undefined ? () => {} : clock.after(ms, turn);
  });
  const track = (work: Promise<unknown>) => {
    const settled = work.then(() => void underWay.delete(settled));
    underWay.add(settled);
  };
  const pool: PoolState = {
    boot: options.boot ?? ((...how) => bootLiveVm(options.driver, ...how)),
    ...{ clock, random, maxAgeMs: options.maxAgeMs },
    max: options.max,
    maxVms: options.maxVms ?? Number.POSITIVE_INFINITY,
    bootsAtOnce: options.bootsAtOnce ?? Number.POSITIVE_INFINITY,
    patienceMs: options.patienceMs ?? defaultPatienceMs,
    ...{ lines: new Map<string, Line>(), used: 0, ending: 0, track, turn },
    tell: options.onEvent ?? (() => {}),
  };
  const lineOf = (wanted: VmShape, least = 0): Line => {
    const shape = { memoryMib: wanted.memoryMib, cpus: wanted.cpus, recipe: wanted.recipe ?? 'base' };
    const name = `${shape.recipe} ${shape.memoryMib} ${shape.cpus}`;
    const known = pool.lines.get(name);
    if (known) return known;
    const breaker = createBreaker({
      ...{ clock, random },
      onChange: (state) => tellOf(pool, line, { type: `breaker_${state}`, error: breaker.lastError() }),
    });
    const line = createLine(shape, least, breaker);
    pool.lines.set(name, line);
    return line;
  };
  lineOf({ memoryMib, cpus }, options.min);
  turn();

  return {
    async take({ signal, onWait, ...wanted }) {
      signal.throwIfAborted();
      closing.signal.throwIfAborted();
      const line = lineOf(wanted);
      const since = clock.now();
      line.forecast.asked(since);
      order += 1;
      const { taker, taken } = createTaker({ line, since, order, signal, onWait }, turn);
      line.takers.push(taker);
      for (const { reason } of line.boots) if (reason) taker.tell(reason);
      turn();
      return await taken;
    },
    renew() {
      for (const { ready } of pool.lines.values()) for (const vm of ready) vm.outdated = true;
      turn();
    },
    status: () => statusOf(pool),
    async close() {
      closing.abort(new Error('The pool is closing.'));
      stopWaiting();
      for (const line of pool.lines.values()) {
        for (const taker of [...line.takers]) taker.reject(closing.signal.reason);
        for (const boot of line.boots) stopBoot(pool, line, boot);
        for (const vm of line.ready) dropReady(pool, line, vm, 'surplus');
      }
      while (underWay.size > 0) await Promise.all(underWay);
    },
  };
}

/** A place in a line; it is left when the VM is there, by an error, or when `signal` aborts. */
function createTaker(
  about: Pick<Taker, 'line' | 'since' | 'order'> & {
    signal: AbortSignal;
    onWait: ((reason: string) => void) | undefined;
  },
  onLeft: () => void,
): { taker: Taker; taken: Promise<LiveVm> } {
  const { signal, onWait, ...place } = about;
  const { promise, resolve, reject } = Promise.withResolvers<LiveVm>();
  const left = new AbortController();
  let told: string | undefined;
  const leave = () => {
    left.abort();
    place.line.takers = place.line.takers.filter((other) => other !== taker);
  };
  const taker: Taker = {
    ...place,
    resolve(live) {
      leave();
      resolve(live);
    },
    reject(error) {
      leave();
      reject(error);
    },
    tell(reason, cause = reason) {
      if (told !== cause) onWait?.(reason);
      told = cause;
    },
  };
  const giveUp = () => {
    taker.reject(signal.reason);
    onLeft();
  };
  signal.addEventListener('abort', giveUp, { once: true, signal: left.signal });
  return { taker, taken: promise };
}

/** What is called for while it runs is done once more afterwards: it calls others, who may call it. */
function onceAtATime(run: () => void): () => void {
  let running = false;
  let again = false;
  return () => {
    again = true;
    if (running) return;
    running = true;
    try {
      while (again) {
        again = false;
        run();
      }
    } finally {
      running = false;
    }
  };
}
