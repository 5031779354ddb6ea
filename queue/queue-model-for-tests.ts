import assert from 'node:assert/strict';
import type { Claimed, QueueEntry } from './build-queue.ts';

interface Known extends QueueEntry {
  priority: number;
  order: number;
  holder?: string;
  runsOut?: boolean;
  cancelled?: boolean;
  place?: string;
  /** Who it was taken from. */
  before?: string[];
  handedOver?: boolean;
}

/**
 * The queue in plain words: which build may be claimed, and which must when any may. Who of several teams or projects is
 * due is left open; that they get their shares is tested elsewhere.
 */
export class QueueModel {
  #builds = new Map<string, Known>();
  #concurrency = new Map<string, number>();
  #teams = new Map<string, { limit: number; paused: boolean }>();
  #fleet = { limit: Number.POSITIVE_INFINITY, drained: false };
  #order = 0;
  /** Those that were leased when they were forgotten. */
  #over = new Set<string>();

  enqueue(entry: QueueEntry, concurrency: number, priority: number): void {
    if (this.#builds.has(entry.build)) return;
    this.#order += 1;
    this.#builds.set(entry.build, { ...entry, priority, order: this.#order });
    this.#concurrency.set(entry.project, concurrency);
  }

  restore(entry: QueueEntry, holder: string, concurrency: number, priority: number): boolean {
    if (this.#builds.get(entry.build)?.holder !== undefined) return false;
    this.enqueue(entry, concurrency, priority);
    Object.assign(this.#get(entry.build), { holder, runsOut: false });
    return true;
  }

  claimed(
    entry: Claimed | undefined,
    lease: { holder: string; runsOut: boolean; place?: string | undefined; takeOverOnly?: boolean },
  ) {
    const left = [...this.#builds.values()].filter(
      ({ holder, runsOut, place, cancelled }) => holder && runsOut && place === lease.place && !cancelled,
    );
    if (lease.place !== undefined && left.length > 0) {
      this.#tookOver(entry, left, lease);
      return;
    }
    const may = lease.takeOverOnly ? [] : this.#mayBeClaimed();
    if (!entry) {
      assert.deepEqual(may, [], 'a build that may be claimed is not given');
      return;
    }
    assert.ok(may.includes(entry.build), `${entry.build} must not be claimed now; ${may.join(', ')} may`);
    assert.equal(entry.takenFrom, undefined);
    Object.assign(this.#get(entry.build), { holder: lease.holder, runsOut: lease.runsOut });
  }

  finish(build: string, holder: string): boolean {
    return this.#builds.get(build)?.holder === holder && this.#builds.delete(build);
  }

  requeue(build: string, holder: string): boolean {
    const known = this.#builds.get(build);
    if (!known?.holder || (known.holder !== holder && !known.runsOut)) return false;
    delete known.holder;
    delete known.place;
    delete known.before;
    delete known.handedOver;
    return true;
  }

  share(build: string, holder: string, place: string): boolean {
    const known = this.#builds.get(build);
    if (known?.holder !== holder) return false;
    known.place = place;
    return true;
  }

  handOver(build: string, holder: string): boolean {
    const known = this.#builds.get(build);
    if (known?.holder !== holder) return false;
    Object.assign(known, { runsOut: true, handedOver: true });
    return true;
  }

  cancel(build: string): 'removed' | 'signalled' | 'absent' {
    const known = this.#builds.get(build);
    if (!known) return 'absent';
    if (known.holder) {
      known.cancelled = true;
      return 'signalled';
    }
    this.#builds.delete(build);
    return 'removed';
  }

  forget(build: string): void {
    if (this.#builds.get(build)?.holder !== undefined) this.#over.add(build);
    this.#builds.delete(build);
  }

  heartbeat(build: string, holder: string): 'held' | 'cancel' | 'taken' | 'lost' | 'absent' {
    const known = this.#builds.get(build);
    if (!known) return this.#over.has(build) ? 'cancel' : 'absent';
    if (known.holder !== holder) return known.before?.includes(holder) ? 'taken' : 'lost';
    known.runsOut = false;
    return known.cancelled ? 'cancel' : 'held';
  }

  setConcurrency(project: string, concurrency: number): void {
    if (this.#concurrency.has(project)) this.#concurrency.set(project, concurrency);
  }

  setTeam(team: string, limit = Number.POSITIVE_INFINITY, paused = false): void {
    this.#teams.set(team, { limit, paused });
  }

  setFleet(limit = Number.POSITIVE_INFINITY, drained = false): void {
    this.#fleet = { limit, drained };
  }

  /** Who holds the build, or somebody who does not. */
  holderOf(build: string, own: boolean): string {
    return (own && this.#builds.get(build)?.holder) || 'nobody';
  }

  list(): string[] {
    return [...this.#builds.values()]
      .map(({ build, holder }) => `${build} ${holder ? 'leased' : 'waiting'}`)
      .sort();
  }

  places(): { build: string; place: number }[] {
    return [...this.#lines().values()].flatMap((line) =>
      line.map(({ build }, index) => ({ build, place: index + 1 })),
    );
  }

  #tookOver(
    taken: Claimed | undefined,
    may: Known[],
    { holder, runsOut }: { holder: string; runsOut: boolean },
  ) {
    const known = may.find(({ build }) => build === taken?.build);
    assert.ok(known?.holder, `${taken?.build} must not be taken over now`);
    const before = [...(known.before ?? []), known.holder];
    assert.deepEqual([taken?.takenFrom, taken?.handedOver], [before, known.handedOver ?? false]);
    Object.assign(known, { holder, runsOut, before, handedOver: false });
  }

  #get(build: string): Known {
    return this.#builds.get(build) ?? assert.fail(`${build} is not there`);
  }

  /** Those that wait, by project, in their order. */
  #lines(): Map<string, Known[]> {
    const waiting = [...this.#builds.values()].filter(({ holder }) => holder === undefined);
    waiting.sort((a, b) => b.priority - a.priority || a.order - b.order);
    return Map.groupBy(waiting, ({ project }) => project);
  }

  #mayBeClaimed(): string[] {
    const leased = [...this.#builds.values()].filter(({ holder }) => holder !== undefined);
    if (this.#fleet.drained || leased.length >= this.#fleet.limit) return [];
    const heads = [...this.#lines().values()].flatMap(([head]) => head ?? []);
    return heads
      .filter(({ team, project }) => {
        const { limit = Number.POSITIVE_INFINITY, paused = false } = this.#teams.get(team) ?? {};
        const ofTeam = leased.filter((one) => one.team === team).length;
        const ofProject = leased.filter((one) => one.project === project).length;
        return !paused && ofTeam < limit && ofProject < (this.#concurrency.get(project) ?? 1);
      })
      .map(({ build }) => build);
  }
}
