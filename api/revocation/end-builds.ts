import { setTimeout as sleep } from 'node:timers/promises';
import { cancelAllBuilds } from '../builds/cancel-all-builds.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';

/**
 * Cancels every build of the project and waits until each is over and every VM that an attempt of it had is gone. A VM that nobody reported gone
 * is waited for until it must have ended itself. Throws BuildsStillEnding after `waitMs`.
 */
export async function endBuilds(
  context: ApiContext,
  projectId: string,
  { since, waitMs, signal }: { since: Date; waitMs: number; signal: AbortSignal },
): Promise<string> {
  await cancelAllBuilds(context, projectId, 'The project is being revoked.', signal);
  const deadline = performance.now() + waitMs;
  for (;;) {
    const builds = await buildsSince(context.database, projectId, since);
    const left = builds.filter(isLeft);
    if (left.length === 0) return detailOf(builds);
    if (performance.now() >= deadline) throw new BuildsStillEnding(left.length);
    await sleep(Math.min(200, waitMs), undefined, { signal });
  }
}

export interface EndingVm {
  vm: string;
  gone_at: Date | null;
  /** When it must have ended itself; nobody saw it end. */
  left_at: Date | null;
}

interface EndingBuild {
  id: string;
  state: string;
  finished_at: Date | null;
  /** Of the last attempt. */
  vm: EndingVm | null;
  /** Of attempts that were lost. */
  earlier: EndingVm[];
}

/** Builds that were under way at `since` or had a VM that is not known to be gone, as they are now. */
export async function buildsSince(
  database: Database,
  projectId: string,
  since: Date,
): Promise<EndingBuild[]> {
  const rows = await database
    .selectFrom('build')
    .leftJoin('vm_use', 'vm_use.build_id', 'build.id')
    .select(['build.id', 'state', 'finished_at', 'build.vm as last_vm'])
    .select(['vm_use.vm', 'gone_at', 'left_at'])
    .where('project_id', '=', projectId)
    .where(({ or, eb, exists, selectFrom }) =>
      or([
        eb('finished_at', 'is', null),
        eb('finished_at', '>=', since),
        exists(
          selectFrom('vm_use as other')
            .select('other.vm')
            .whereRef('other.build_id', '=', 'build.id')
            .where((is) => is.or([is('other.gone_at', 'is', null), is('other.gone_at', '>=', since)])),
        ),
      ]),
    )
    .orderBy('build.id')
    .orderBy('vm_use.attempt')
    .orderBy('vm_use.vm')
    .execute();
  const builds = new Map<string, EndingBuild>();
  for (const { id, state, finished_at, last_vm, vm, gone_at, left_at } of rows) {
    const build = builds.get(id) ?? { id, state, finished_at, vm: null, earlier: [] };
    builds.set(id, build);
    if (vm === null) continue;
    const ending = { vm, gone_at, left_at };
    if (vm === last_vm) build.vm = ending;
    else build.earlier.push(ending);
  }
  return [...builds.values()];
}

const vmsOf = ({ vm, earlier }: EndingBuild) => (vm ? [...earlier, vm] : earlier);

function isLeft(build: EndingBuild): boolean {
  return !build.finished_at || vmsOf(build).some(({ gone_at, left_at }) => !gone_at && !left_at);
}

function detailOf(builds: EndingBuild[]): string {
  if (builds.length === 0) return 'No build was under way.';
  const vms = builds.flatMap(vmsOf);
  const unseen = vms.filter(({ gone_at }) => !gone_at).map(({ vm }) => vm);
  const seen = `${builds.length} ended, with ${vms.length - unseen.length} VM(s) that are gone.`;
  if (unseen.length === 0) return seen;
  return `${seen} ${unseen.length} VM(s) lost their runner and were left to end themselves; nobody saw them end: ${unseen.join(', ')}.`;
}

/** They are cancelled, and take longer than this attempt waits. */
export class BuildsStillEnding extends Error {
  override name = 'BuildsStillEnding';
  readonly code = 'builds_still_ending';

  constructor(count: number) {
    super(`${count} build(s) of the project or their VMs are still ending.`);
  }
}
