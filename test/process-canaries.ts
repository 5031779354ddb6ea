import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { LiveJourney } from '../cli/demo/journey.ts';
import type { Canaries } from './canaries.ts';
import { encodings } from './encodings.ts';
import { takeHeapSnapshot } from './heap-snapshot.ts';
import { findInMemory } from './process-memory.ts';

/** What is found of a process once the builds are over and their keys are wiped. */
export interface ProcessFindings {
  /** Whether the seed of the deploy key is in its memory, and whether a key that belongs there is. */
  deployKey: boolean;
  ownKey: boolean;
  /** What its heap still holds on to, after a collection; `url` is the API's address, which both know. */
  reachable: string[];
  coreLimit: string;
}

/** Looks into the memory and the heap of API and runner. The collector has a few seconds to do its work. */
export async function searchProcesses(
  canaries: Canaries,
  live: LiveJourney,
  { folder, snapshots }: { folder: string; snapshots: string },
): Promise<Record<'api' | 'runner', ProcessFindings>> {
  const keys = join(folder, 'system', 'keys');
  const own = async (path: string) =>
    Buffer.from(JSON.parse(await readFile(join(keys, path), 'utf8')).d, 'base64url');
  const look = async (pid: number | undefined, ownKey: Buffer): Promise<ProcessFindings> => {
    if (!pid) throw new Error('The process is not there.');
    const seed = encodings(canaries.privateKey);
    // OpenSSL holds the private half of a P-256 key as a number, its lowest byte first.
    const needles = [...seed, ...encodings(ownKey), Buffer.from(ownKey).reverse()];
    const isSeed = (index: number) => index < seed.length;
    let found = await findInMemory(pid, needles);
    // Memory moves while it is read, so that a key can be missed as well as be about to go: look again for both.
    for (let tries = 0; ([...found].some(isSeed) || [...found].every(isSeed)) && tries < 20; tries++) {
      await delay(500);
      found = await findInMemory(pid, needles);
    }
    const snapshot = await takeHeapSnapshot(pid, snapshots);
    const limits = await readFile(`/proc/${pid}/limits`, 'utf8');
    return {
      deployKey: [...found].some(isSeed),
      ownKey: ![...found].every(isSeed),
      reachable: Object.entries({ ...canaries, url: Buffer.from(live.system.url) })
        .filter(([, value]) => encodings(value).some((needle) => snapshot.includes(needle)))
        .map(([name]) => name),
      coreLimit: /Max core file size\s+(\S+\s+\S+)/.exec(limits)?.[1]?.replace(/\s+/, ' ') ?? '',
    };
  };
  const { api, runner } = live.system.processes;
  return {
    api: await look(api, await own('api/token-key.json')),
    runner: await look(runner, await own('runner/key-encryption-key.json')),
  };
}
