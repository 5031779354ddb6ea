import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import { type BuildState, finalStates } from '../../contract/build.ts';
import type { BuildQueue } from '../../queue/build-queue.ts';
import { watchQueue } from './queue-metrics.ts';

/** What the sweeper put right. */
export const repairKinds = ['enqueued', 'leased_again', 'forgotten', 'requeued', 'lost', 'vm_gone'] as const;
export type RepairKind = (typeof repairKinds)[number];

/** Why another runner went on with a build. */
const takeoverReasons = ['handed_over', 'runner_lost'] as const;
type TakeoverReason = (typeof takeoverReasons)[number];

/** What a process of the API counts. Labels are from short lists: no team, project, build or name can be in one. */
export interface ApiMetrics {
  registry: Registry;
  buildEnded(outcome: BuildState): void;
  /** From acceptance to the first claim. */
  buildWaited(seconds: number): void;
  attemptLost(): void;
  takenOver(reason: TakeoverReason): void;
  repaired(kind: RepairKind, count?: number): void;
}

export function createApiMetrics(queue: Pick<BuildQueue, 'depth' | 'counts'>): ApiMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  watchQueue(registry, queue);
  const ended = new Counter({
    name: 'ebb_builds_total',
    help: 'Builds that ended, by how.',
    labelNames: ['outcome'],
    registers,
  });
  const waited = new Histogram({
    name: 'ebb_build_wait_seconds',
    help: 'Time from the acceptance of a build to its first claim.',
    buckets: [1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 14_400],
    registers,
  });
  const lost = new Counter({
    name: 'ebb_build_attempts_lost_total',
    help: 'Attempts whose VM or runner was lost.',
    registers,
  });
  const takeovers = new Counter({
    name: 'ebb_build_takeovers_total',
    help: 'Builds that another runner went on with, by why.',
    labelNames: ['reason'],
    registers,
  });
  const repairs = new Counter({
    name: 'ebb_sweeper_repairs_total',
    help: 'What the sweeper put right between database, queue and VMs.',
    labelNames: ['kind'],
    registers,
  });
  // Series that are there from the start have a rate from the first event on.
  for (const outcome of finalStates) ended.inc({ outcome }, 0);
  for (const reason of takeoverReasons) takeovers.inc({ reason }, 0);
  for (const kind of repairKinds) repairs.inc({ kind }, 0);
  return {
    registry,
    buildEnded: (outcome) => ended.inc({ outcome }),
    buildWaited: (seconds) => waited.observe(Math.max(0, seconds)),
    attemptLost: () => lost.inc(),
    takenOver: (reason) => takeovers.inc({ reason }),
    repaired: (kind, count = 1) => repairs.inc({ kind }, count),
  };
}
