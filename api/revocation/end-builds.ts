import { setTimeout as sleep } from 'node:timers/promises';
import { cancelAllBuilds } from '../builds/cancel-all-builds.ts';
import type { ApiContext } from '../context.ts';

// A VM ends itself 60 s after its runner's last sign of life, and the build of a runner that is gone is over only when
// its lease ran out; half a minute more is for the shutdown.
const orphanedVmMs = 90_000;

/**
 * Cancels every build of the project and waits until each is over and its VM is gone. A VM that nobody reported gone
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
    const builds = await buildsSince(context, projectId, since);
    const left = builds.filter((build) => isLeft(build, context.now()));
    if (left.length === 0) return detailOf(builds);
    if (performance.now() >= deadline) throw new BuildsStillEnding(left.length);
    await sleep(Math.min(200, waitMs), undefined, { signal });
  }
}

/** Builds that were under way at `since`, as they are now. */
export async function buildsSince({ database }: ApiContext, projectId: string, since: Date) {
  return await database
    .selectFrom('build')
    .select(['id', 'state', 'finished_at', 'vm', 'vm_gone_at'])
    .where('project_id', '=', projectId)
    .where((is) =>
      is.or([
        is('finished_at', 'is', null),
        is('finished_at', '>=', since),
        is('vm_gone_at', '>=', since),
        // Over, but its VM is not known to be gone.
        is.and([is('vm', 'is not', null), is('vm_gone_at', 'is', null)]),
      ]),
    )
    .orderBy('id')
    .execute();
}

type EndingBuild = Awaited<ReturnType<typeof buildsSince>>[number];

function isLeft(build: EndingBuild, now: Date): boolean {
  if (!build.finished_at) return true;
  const overFor = now.getTime() - build.finished_at.getTime();
  return build.vm !== null && !build.vm_gone_at && overFor < orphanedVmMs;
}

function detailOf(builds: EndingBuild[]): string {
  if (builds.length === 0) return 'No build was under way.';
  const lost = builds.filter((build) => build.vm !== null && !build.vm_gone_at).length;
  const vms = builds.filter((build) => build.vm !== null).length - lost;
  const unconfirmed =
    lost > 0 ? ` ${lost} VM lost its runner and was left to end itself; nobody saw it end.` : '';
  return `${builds.length} ended, ${vms} with a VM that is gone.${unconfirmed}`;
}

/** They are cancelled, and take longer than this attempt waits. */
export class BuildsStillEnding extends Error {
  override name = 'BuildsStillEnding';
  readonly code = 'builds_still_ending';

  constructor(count: number) {
    super(`${count} build(s) of the project or their VMs are still ending.`);
  }
}
