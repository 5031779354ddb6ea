import type { LiveVm, VmShape } from '../live-vm.ts';
import type { Breaker, Trial } from './breaker.ts';
import { createForecast, type Forecast } from './forecast.ts';
import type { WaitingVm } from './waiting-vm.ts';

/** A build that waits for a VM. */
export interface Taker {
  line: Line;
  /** Lower came earlier. */
  order: number;
  since: number;
  resolve(live: LiveVm): void;
  reject(error: unknown): void;
  /** Tells why it waits, once for each cause. */
  tell(reason: string, cause?: string): void;
}

/** A VM that is being booted, for whoever is first in line when it is there. */
export interface Boot {
  stop: AbortController;
  since: number;
  trial: Trial;
  /** What it waits for. */
  reason?: string;
}

/** Everything about VMs of one shape: who waits for one, and those that boot or wait. */
export interface Line {
  shape: Required<VmShape>;
  /** How many wait, however seldom one is asked for. */
  least: number;
  /** First come first. */
  takers: Taker[];
  boots: Set<Boot>;
  /** Oldest first. */
  ready: WaitingVm[];
  forecast: Forecast;
  breaker: Breaker;
  /** The image that the VM booted which was launched last. */
  newest?: { image: string; launchedAt: number };
}

export function createLine(shape: Required<VmShape>, least: number, breaker: Breaker): Line {
  return {
    ...{ shape, least, breaker, forecast: createForecast() },
    ...{ takers: [], boots: new Set<Boot>(), ready: [] },
  };
}

/** VMs that wait or boot for nobody yet; below 0, builds that have none on the way. */
export function spare({ ready, boots, takers }: Line): number {
  return ready.length + boots.size - takers.length;
}

/** How many VMs of each line should wait: what its forecast says, all within one bound, the first line first. */
export function targetsOf(lines: Iterable<Line>, most: number, now: number): Map<Line, number> {
  let left = most;
  const targets = new Map<Line, number>();
  for (const line of lines) {
    const target = Math.min(Math.max(line.least, line.forecast.wanted(now, most)), left);
    targets.set(line, target);
    left -= target;
  }
  return targets;
}

/** How many boots a line lacks to have so many waiting; outdated VMs are replaced one at a time. */
export function lacking(line: Line, target: number): number {
  const outdated = line.ready.filter((vm) => vm.outdated).length;
  const has = Math.max(0, spare(line));
  if (has < target) return target - has;
  return outdated > 0 && has === target && has - outdated < target ? 1 : 0;
}

/** Marks VMs of another image than the newest: a VM that was launched later counts, whichever came up first. */
export function learnImage(line: Line, { vm }: LiveVm): void {
  const launchedAt = vm.launchedAt.getTime();
  if (!line.newest || launchedAt >= line.newest.launchedAt) line.newest = { image: vm.image, launchedAt };
  for (const waiting of line.ready) {
    if (waiting.live.vm.image !== line.newest.image) waiting.outdated = true;
  }
}
