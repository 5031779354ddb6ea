import type { BuildQueue, Listed, Place, WaitReason } from './build-queue.ts';
import type { Scripts } from './scripts.ts';

const pageOfProjects = 500;
const maxPages = 20;
const mostPlaces = 200;

/** What tells of the queue and changes nothing. */
export function createLooks(
  scripts: Scripts,
): Pick<BuildQueue, 'look' | 'page' | 'list' | 'counts' | 'depth' | 'place' | 'places'> {
  const page: BuildQueue['page'] = async (cursor, count) => {
    const [next, ...fields] = (await scripts.page(cursor ?? '0', count)) as [string, ...string[]];
    const entries = inGroups(fields, 2).map(([build = '', holder = '']) => toListed(build, holder));
    return { entries, next: next === '0' ? undefined : next };
  };

  const counts: BuildQueue['counts'] = async () => {
    const [waiting = 0, leased = 0, expired = 0] = (await scripts.counts()) as number[];
    return { waiting, leased, expired };
  };

  const places: BuildQueue['places'] = async (builds) => {
    if (builds.length === 0) return [];
    if (builds.length > mostPlaces)
      throw new RangeError(
        `The places of ${builds.length} builds are asked at once; at most ${mostPlaces} may be.`,
      );
    const [heldBack, ...answers] = (await scripts.places(...builds)) as [number, ...(PlaceAnswer | null)[]];
    return answers.map((answer) => (answer === null ? undefined : toPlace(answer, heldBack === 1)));
  };

  return {
    page,
    places,
    place: async (build) => (await places([build]))[0],
    async look(builds) {
      if (builds.length === 0) return [];
      const holders = (await scripts.look(...builds)) as (string | null)[];
      return builds.map((build, index) => {
        const holder = holders[index] ?? null;
        return holder === null ? undefined : toListed(build, holder);
      });
    },
    async list() {
      // A build may be given twice while Redis makes its table larger.
      const all = new Map<string, Listed>();
      let cursor: string | undefined;
      do {
        const { entries, next } = await page(cursor, 500);
        for (const entry of entries) all.set(entry.build, entry);
        cursor = next;
      } while (cursor !== undefined);
      return [...all.values()];
    },
    counts,
    async depth() {
      const depth: Awaited<ReturnType<BuildQueue['depth']>> = {};
      let cursor = '0';
      let seen = 0;
      for (let pages = 0; pages < maxPages; pages += 1) {
        const answer = await scripts.depth(cursor, pageOfProjects);
        const [next, now, ...projects] = answer as [string, number, ...(WaitReason | number)[]];
        for (const [reason, waiting, oldest] of inGroups(projects, 3) as [WaitReason, number, number][]) {
          const known = depth[reason] ?? { waiting: 0, oldestSeconds: 0 };
          // What is new in a burst may have a time of a moment later.
          const seconds = Math.max(0, (now - oldest) / 1000);
          depth[reason] = {
            waiting: known.waiting + waiting,
            oldestSeconds: Math.max(known.oldestSeconds, seconds),
          };
          seen += waiting;
        }
        cursor = next;
        if (cursor === '0') return depth;
      }
      const { waiting } = await counts();
      return { ...depth, unknown: { waiting: Math.max(0, waiting - seen), oldestSeconds: 0 } };
    },
  };
}

type PlaceAnswer = [rank: number, waitsFor: WaitReason, limit: number];

function toPlace([rank, waitsFor, limit]: PlaceAnswer, heldBack: boolean): Place {
  return {
    ...{ place: rank + 1, waitsFor },
    ...(limit > 0 && { limit }),
    ...(heldBack && waitsFor === 'turn' && { heldBack }),
  };
}

function toListed(build: string, holder: string): Listed {
  return holder === '' ? { build, state: 'waiting' } : { build, state: 'leased', holder };
}

function inGroups<T>(values: T[], size: number): T[][] {
  return Array.from({ length: values.length / size }, (_, index) =>
    values.slice(index * size, (index + 1) * size),
  );
}
