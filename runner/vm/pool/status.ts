import type { BreakerState } from './breaker.ts';
import { type Line, targetsOf } from './line.ts';
import type { PoolState } from './pool-state.ts';

/** What happened, for logs and metrics. */
export interface PoolEvent {
  /**
   * - `booted`: a VM came up, in `ms`.
   * - `boot_failed`, `end_failed`: with the error.
   * - `taken`: a build has its VM, which it waited for for `ms`; `ready` when it was booted ahead.
   * - `died`, `unhealthy`, `expired`, `replaced`, `surplus`: why a VM that waited is destroyed.
   * - `breaker_open`, `breaker_closed`: whether boots are held back because they fail.
   */
  type:
    | 'booted'
    | 'boot_failed'
    | 'end_failed'
    | 'taken'
    | 'died'
    | 'unhealthy'
    | 'expired'
    | 'replaced'
    | 'surplus'
    | 'breaker_open'
    | 'breaker_closed';
  recipe: string;
  memoryMib: number;
  vm?: string;
  error?: string;
  ms?: number;
  ready?: boolean;
}

export interface ShapeStatus {
  recipe: string;
  memoryMib: number;
  cpus: number;
  /** VMs that wait. */
  ready: number;
  booting: number;
  /** Builds that wait. */
  takers: number;
  /** How many VMs should wait. */
  target: number;
  breaker: BreakerState;
}

export interface PoolStatus extends Omit<ShapeStatus, 'recipe' | 'memoryMib' | 'cpus' | 'breaker'> {
  /** VMs that builds have. */
  used: number;
  /** Of the shape that fares worst. */
  breaker: BreakerState;
  /** Shapes that wait ahead or were asked for lately. */
  shapes: ShapeStatus[];
}

/** How a pool fares now. */
export function statusOf(pool: PoolState): PoolStatus {
  const targets = targetsOf(pool.lines.values(), pool.max, pool.clock.now());
  const shapes = [...targets].map(([line, target]) => shapeStatus(line, target));
  const sum = (name: 'ready' | 'booting' | 'takers' | 'target') =>
    shapes.reduce((total, shape) => total + shape[name], 0);
  const states = new Set(shapes.map(({ breaker }) => breaker));
  return {
    ...{ ready: sum('ready'), booting: sum('booting'), takers: sum('takers'), target: sum('target') },
    used: pool.used,
    breaker: states.has('open') ? 'open' : states.has('half_open') ? 'half_open' : 'closed',
    shapes,
  };
}

function shapeStatus(line: Line, target: number): ShapeStatus {
  return {
    ...line.shape,
    ...{ ready: line.ready.length, booting: line.boots.size, takers: line.takers.length, target },
    breaker: line.breaker.state(),
  };
}

/**
 * Whether a build that is claimed now may get a VM: one waits, boots of some shape do not fail, or one may be tried that
 * nobody waits for. Of a pool that nobody asked lately nothing is known.
 *
 * @param onTheWay builds that are claimed and have not asked the pool yet, of whichever shape
 */
export function mayGive({ shapes }: Pick<PoolStatus, 'shapes'>, onTheWay: number): boolean {
  const may = ({ ready, breaker, booting, takers }: ShapeStatus) => {
    const wanted = takers + onTheWay;
    return ready > wanted || breaker === 'closed' || (breaker === 'half_open' && booting + wanted === 0);
  };
  return shapes.length === 0 || shapes.some(may);
}
