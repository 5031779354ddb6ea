import type { LiveVm, VmShape } from '../live-vm.ts';
import type { Clock } from './clock.ts';
import { type Line, spare } from './line.ts';
import type { PoolEvent } from './status.ts';
import type { WaitingVm } from './waiting-vm.ts';

export type BootVm = (
  shape: VmShape,
  signal: AbortSignal,
  onWait: (reason: string) => void,
) => Promise<LiveVm>;

/** All that a pool knows and works with. */
export interface PoolState {
  boot: BootVm;
  clock: Clock;
  random: () => number;
  /** How many VMs wait at most. */
  max: number;
  /** How many VMs there are at most, those that builds have included. */
  maxVms: number;
  bootsAtOnce: number;
  maxAgeMs: number;
  patienceMs: number;
  /** By their shape. */
  lines: Map<string, Line>;
  /** VMs that builds have. */
  used: number;
  /** VMs and boots that are given up and not gone yet. */
  ending: number;
  tell(event: PoolEvent): void;
  /** Has `close` wait for it. */
  track(work: Promise<unknown>): void;
  /** Looks what is to be done next. */
  turn(): void;
}

/** All VMs there are, the half ones too. */
export function vmsOf(pool: PoolState): number {
  const here = [...pool.lines.values()].map(({ ready, boots }) => ready.length + boots.size);
  return here.reduce((sum, count) => sum + count, pool.used + pool.ending);
}

export function bootsOf(pool: PoolState): number {
  return [...pool.lines.values()].reduce((sum, { boots }) => sum + boots.size, 0);
}

/** VMs that nobody waits for. */
export function idleOf(pool: PoolState): number {
  return [...pool.lines.values()].reduce((sum, line) => sum + Math.max(0, spare(line)), 0);
}

export function tellOf(
  pool: PoolState,
  { shape }: Line,
  event: Omit<PoolEvent, 'recipe' | 'memoryMib'>,
): void {
  pool.tell({ ...event, recipe: shape.recipe, memoryMib: shape.memoryMib });
}

/** Destroys a VM that waits. */
export function dropReady(
  pool: PoolState,
  line: Line,
  vm: WaitingVm,
  cause: 'died' | 'unhealthy' | 'expired' | 'replaced' | 'surplus',
): void {
  vm.leave();
  line.ready = line.ready.filter((other) => other !== vm);
  // What breaks as soon as it is up is no better than what does not come up.
  if (cause === 'died' || cause === 'unhealthy')
    vm.trial.failed(`a new VM ${cause === 'died' ? 'died' : 'does not answer'}`);
  else vm.trial.abandoned();
  tellOf(pool, line, { type: cause, vm: vm.live.vm.id });
  endVm(pool, line, vm.live);
}

/** Destroys a VM. What cannot be ended is left to its dead-man's switch and the reaper. */
export function endVm(pool: PoolState, line: Line, live: LiveVm): void {
  pool.ending += 1;
  const ended = live.end().catch((error) => {
    tellOf(pool, line, { type: 'end_failed', vm: live.vm.id, error: String(error) });
  });
  pool.track(
    ended.then(() => {
      pool.ending -= 1;
      pool.turn();
    }),
  );
}
