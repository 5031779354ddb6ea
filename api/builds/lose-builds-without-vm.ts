import type { ApiContext } from '../context.ts';
import { endAttempt } from './end-attempt.ts';

// A runner tells the end of the build before that of its VM, but on connections of their own.
const settledAfterMs = 10_000;
const atOnce = 100;

/** Ends attempts that still count as running though their VM is said to be gone: nothing more can come of them. */
export async function loseBuildsWithoutVm(context: ApiContext): Promise<void> {
  const settled = new Date(context.now().getTime() - settledAfterMs);
  const builds = await context.database
    .selectFrom('build')
    .selectAll('build')
    .innerJoin('vm_use', (on) =>
      on.onRef('vm_use.build_id', '=', 'build.id').onRef('vm_use.attempt', '=', 'build.attempt'),
    )
    .where('build.finished_at', 'is', null)
    .where('build.state', '=', 'running')
    .where('vm_use.gone_at', '<', settled)
    .limit(atOnce)
    .execute();
  const reason = 'The VM of this build is gone.';
  for (const build of builds) {
    if (await endAttempt(context, build, { attempt: build.attempt, outcome: 'lost', reason }))
      context.metrics?.repaired('vm_gone');
  }
}
