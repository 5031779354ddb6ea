export interface InstanceType {
  name: string;
  memoryMib: number;
}

/** Where and as what an instance may be launched. */
export interface Place {
  instanceType: string;
  subnet: string;
  spot: boolean;
}

export type Market = 'on-demand' | 'spot' | 'spot-then-on-demand';

/** No place that is large enough had room lately. */
export interface NoRoom {
  waitMs: number;
  full: Place[];
}

/** All places of a runner, in the order of preference, without those that lately had no room. */
export interface Places {
  /**
   * The best place now for a VM of this size; when all had no room lately, how long until the first may be tried again, and
   * which they are; undefined when none is large enough.
   */
  next(memoryMib: number): { place: Place } | NoRoom | undefined;
  /** That place had no room; it is left out for a while, longer each time. */
  full(place: Place): void;
  /** There was room. */
  worked(place: Place): void;
}

const firstPauseMs = 15_000;
const longestPauseMs = 5 * 60_000;

/**
 * Cheaper market first, then instance types in the order they were given, each in every subnet before the next type.
 * @param now milliseconds of a clock that is never set back, given by tests
 */
export function createPlaces(
  options: { instanceTypes: InstanceType[]; subnets: string[]; market: Market },
  now: () => number = () => performance.now(),
): Places {
  const { instanceTypes, subnets, market } = options;
  const markets = market === 'spot-then-on-demand' ? [true, false] : [market === 'spot'];
  const entries = markets
    .flatMap((spot) =>
      instanceTypes.flatMap(({ name, memoryMib }) =>
        subnets.map((subnet) => ({ memoryMib, place: { instanceType: name, subnet, spot } })),
      ),
    )
    .map((entry) => ({ ...entry, pauses: 0, fullUntil: 0 }));
  const entryOf = (place: Place) => entries.find((entry) => entry.place === place);
  return {
    next(wantedMib) {
      const large = entries.filter(({ memoryMib }) => memoryMib >= wantedMib);
      if (large.length === 0) return undefined;
      const free = large.find(({ fullUntil }) => fullUntil <= now());
      if (free) return { place: free.place };
      const waitMs = Math.min(...large.map(({ fullUntil }) => fullUntil)) - now();
      return { waitMs, full: large.map(({ place }) => place) };
    },
    full(place) {
      const entry = entryOf(place);
      if (!entry) return;
      entry.fullUntil = now() + Math.min(firstPauseMs * 2 ** entry.pauses, longestPauseMs);
      entry.pauses += 1;
    },
    worked(place) {
      const entry = entryOf(place);
      if (entry) entry.pauses = 0;
    },
  };
}
