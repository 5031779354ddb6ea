/** A build as the queue knows it: ids and limits, never content. */
export interface QueueEntry {
  build: string;
  project: string;
  team: string;
}

/** What makes a build come earlier or later than others of its project, and weigh more. */
export interface BuildOrder {
  /** From -100 to 100; higher comes first in its project. Default 0. */
  priority?: number;
  /** What it is expected to take, put right when it has ended. Default 60. */
  expectedSeconds?: number;
  /** When it came, where Redis lost it: it gets its old place. Now when absent. */
  arrivedAt?: Date;
}

/** What a claim does in the same step. */
export interface BesideClaim {
  /**
   * Before those that wait comes a build whose lease has run out and that was shared at this place, to go on with it; none
   * that is to be cancelled.
   */
  place?: string | undefined;
  /** Gives none that waits. */
  takeOverOnly?: boolean | undefined;
  /** Ends this lease first, as `finish` does. */
  finished?: { build: string; holder: string } | undefined;
}

/** A build that was leased, and of one that was taken over, from whom. */
export interface Claimed extends QueueEntry {
  /** Who held it since it was claimed, one after the other. */
  takenFrom?: string[];
  /** Whether the last of them gave it away; otherwise that one is lost. */
  handedOver?: boolean;
}

/** What is told of a share, as it was read at some time. */
interface Versioned {
  /** Where a higher one is known this is left out: it was read before. Counts in any case when absent. */
  version?: number;
  /** It counts though a higher one is known, from a database that was put back to an earlier time since then. */
  anyway?: boolean;
}

export interface TeamShare extends Versioned {
  /** From 0.001, which smaller ones above 0 count as; a team of weight 2 is served twice as long as one of weight 1 while both have work. Default 1. */
  weight?: number;
  /** How many builds of the team may be leased at once; any number when absent. */
  limit?: number;
  /** Its builds wait until it is not any more. */
  paused?: boolean;
}

export interface Place {
  /** In its project's line, from 1. */
  place: number;
  waitsFor: WaitReason;
  /** The limit that is reached, where it is one. */
  limit?: number;
  /** Whether a runner takes none for the moment, because it has no VM for it. */
  heldBack?: boolean;
}

export type HeartbeatAnswer = 'held' | 'cancel' | 'taken' | 'lost' | 'absent';

/** `turn`: for its turn, or for a runner that takes it. */
export const waitReasons = [
  'turn',
  'project_limit',
  'team_limit',
  'team_paused',
  'fleet_limit',
  'drained',
] as const;
export type WaitReason = (typeof waitReasons)[number];

/** A build in the queue; who holds it, when it is leased. */
export interface Listed {
  build: string;
  state: 'waiting' | 'leased';
  holder?: string;
}

/**
 * The build queue. Every change is atomic; ids only. An entry waits, is leased by one holder, and leaves by `finish`. A
 * holder is a name that is used for one lease only, so that what is left of an old lease can do nothing to a new one.
 * All calls reject with a QueueError when Redis does not answer in time.
 */
export interface BuildQueue {
  /**
   * Adds a build of a project that may have `concurrency` builds leased at once; adding one that is there already changes
   * nothing. Throws QueueFullError.
   */
  enqueue(entry: QueueEntry, concurrency: number, order?: BuildOrder): Promise<void>;
  /** Throws QueueFullError when another build would not be taken. */
  requireRoom(): Promise<void>;
  /** Changes a team's share and limit, also for builds that wait already. False when a later version is known. */
  setTeam(team: string, share: TeamShare): Promise<boolean>;
  /**
   * Changes how many builds may be leased in all; `drained`, no other is. False when a later version is known. Before this
   * is told, as after a loss of Redis, no build that waits may be leased.
   */
  setFleet(fleet: { limit?: number; drained?: boolean } & Versioned): Promise<boolean>;
  /** Changes how many builds of a project may be leased at once, also for those that wait already. */
  setConcurrency(project: string, concurrency: number): Promise<void>;
  /**
   * Leases the build that is due: teams share what there is by their weights, and in a team its projects alike, in seconds
   * served. Undefined when none may be leased.
   */
  claim(holder: string, leaseMs: number, beside?: BesideClaim): Promise<Claimed | undefined>;
  /**
   * Says from which place the VM of a leased build can be taken over. False when the lease is not this holder's. Who
   * claims the build or takes it over says it again.
   */
  share(build: string, holder: string, place: string): Promise<boolean>;
  /**
   * Has the lease run out now, for somebody to take the build over, at `place` if that is given. False when it is not this
   * holder's.
   */
  handOver(build: string, holder: string, place?: string): Promise<boolean>;
  /**
   * Extends the lease, and says again from which `place` the VM can be taken over, if it is shared; `cancel` asks the holder
   * to stop, also for a minute after the build was forgotten under it. `taken` says that another one took the build over from it, `lost`
   * that it is leased to somebody who begins anew, or to nobody, `absent` that Redis knows nothing of the build or has lost
   * something, and the sweeper may give the lease back.
   */
  heartbeat(build: string, holder: string, leaseMs: number, place?: string): Promise<HeartbeatAnswer>;
  /** When the build's lease runs out, by Redis' clock in milliseconds; undefined when it has none. */
  leaseUntil(build: string): Promise<number | undefined>;
  /** Ends the lease and forgets the build. False when the lease was not this holder's. */
  finish(build: string, holder: string): Promise<boolean>;
  /** Puts a leased build back to its old place in line, when this is its holder or the lease has run out. */
  requeue(build: string, holder: string): Promise<boolean>;
  /** Removes a waiting build, or asks the holder of a leased one to stop. */
  cancel(build: string): Promise<'removed' | 'signalled' | 'absent'>;
  /** Forgets a build in any state, whoever holds it. */
  forget(build: string): Promise<void>;
  /**
   * Leases a build to who held it before Redis lost the lease; the caller knows that from the database. False when somebody
   * holds it, unless that is `earlier`, who had it before, by what Redis says after the loss.
   */
  restore(
    entry: QueueEntry,
    lease: { holder: string; leaseMs: number; earlier?: string | undefined },
    concurrency: number,
    order?: BuildOrder,
  ): Promise<boolean>;
  /**
   * Builds whose lease has run out, `forMs` ago or more, at most `limit`, the longest first; they stay until a claim
   * takes them over, `requeue` or `forget`.
   */
  expired(options?: { forMs?: number; limit?: number }): Promise<string[]>;
  /** Of each of the builds what the queue knows, in their order; undefined where it does not know it. */
  look(builds: string[]): Promise<(Listed | undefined)[]>;
  /**
   * A part of what is there, and the cursor for the next; undefined after the last. What is there all the while is given
   * once at least. Looks at about `count` keys of Redis.
   */
  page(cursor: string | undefined, count: number): Promise<{ entries: Listed[]; next: string | undefined }>;
  /** Everything that is there, page by page: it costs as much as there is. */
  list(): Promise<Listed[]>;
  counts(): Promise<{ waiting: number; leased: number; expired: number }>;
  /**
   * How many builds wait for what, and for how many seconds the oldest of them does. Looks at ten thousand projects at
   * most; the builds of others count as `unknown`.
   */
  depth(): Promise<Partial<Record<WaitReason | 'unknown', { waiting: number; oldestSeconds: number }>>>;
  /** Whether `name` is the one who sweeps, for the next `forMs`. */
  lead(name: string, forMs: number): Promise<boolean>;
  /**
   * Keeps account of the sweeper's walk through everything, by the name of the walk. `begun` when Redis may have lost
   * something since the last whole one: the walk begins anew. `done` when it needs none, or was told `throughAll`.
   */
  walk(name: string, throughAll: boolean): Promise<'begun' | 'going_on' | 'done'>;
  /** Why a waiting build waits; undefined when it does not. */
  place(build: string): Promise<Place | undefined>;
  /** The same of each of at most 200 builds, in their order and at one moment. Throws a RangeError for more. */
  places(builds: string[]): Promise<(Place | undefined)[]>;
  /**
   * Resolves when there may be something to claim again since the last claim that gave nothing, after `timeoutMs` at the
   * latest, or when the signal aborts.
   */
  waitForWork(timeoutMs: number, signal: AbortSignal): Promise<void>;
  /** Tells watchers on every API process that a build's log or state changed; best effort. */
  announce(build: string): Promise<void>;
  /** Calls back at each announcement of the build until the signal aborts. */
  watch(build: string, onChange: () => void, signal: AbortSignal): Promise<void>;
  /** Calls back with each build whose runner is asked to stop; faster than the next heartbeat, which says it too. */
  watchCancellations(onCancel: (build: string) => void, signal: AbortSignal): Promise<void>;
  /** Says, for so long, that a runner that would take a build has no VM for it. */
  holdBack(forMs: number): Promise<void>;
  /** Says that this runner lives; it counts as dead when this is not said again within `forMs`. */
  present(runner: string, forMs: number): Promise<void>;
  /** Whether a runner said lately that it lives. Rejects when Redis does not know. */
  isPresent(runner: string): Promise<boolean>;
  /** Whether Redis answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** More builds wait than the queue is configured to hold. */
export class QueueFullError extends Error {
  override name = 'QueueFullError';
  readonly code = 'queue_full';
  readonly limit: number;
  constructor(limit: number) {
    super(`The queue is full: ${limit} builds wait. Try again in a minute.`);
    this.limit = limit;
  }
}
