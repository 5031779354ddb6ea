import { setTimeout as delay } from 'node:timers/promises';
import type { Build } from '../../contract/build.ts';
import { CliError } from '../cli-error.ts';
import type { Client } from '../client.ts';
import { followBuild } from '../follow-build.ts';
import type { Narrator } from './narrator.ts';

const patienceMs = 30_000;

interface Search {
  client: Client;
  projectId: string;
  commit: string;
  signal: AbortSignal;
}

/** The build that a push of this commit started. */
export async function findBuild({ client, projectId, commit, signal }: Search): Promise<Build> {
  const until = Date.now() + patienceMs;
  while (Date.now() < until) {
    const page = await client.get<{ items: Build[] }>(`/v1/builds?project_id=${projectId}`);
    const build = page.items.find((candidate) => candidate.commit === commit);
    if (build) return build;
    await delay(50, undefined, { signal });
  }
  throw new CliError(
    `No build of ${commit.slice(0, 12)} was started within ${patienceMs / 1000} s of the push.`,
  );
}

/** Shows the build of a commit as it runs; resolves with it when its VM is gone too. */
export async function followNextBuild(search: Search & { narrator: Narrator }): Promise<Build> {
  const build = await findBuild(search);
  await followBuild(search.client, build.id, { log: (text) => search.narrator.raw(text) }, search.signal);
  return await whenVmIsGone(search.client, build.id, search.signal);
}

export async function whenVmIsGone(client: Client, id: string, signal: AbortSignal): Promise<Build> {
  const until = Date.now() + patienceMs;
  for (;;) {
    const build = await client.get<Build>(`/v1/builds/${id}`);
    if (build.vm_gone_at !== null || Date.now() > until) return build;
    await delay(50, undefined, { signal });
  }
}
