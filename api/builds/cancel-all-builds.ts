import type { ApiContext } from '../context.ts';
import { cancelBuild } from './cancel-build.ts';

/** Cancels every build of a project that is not over. They may still be ending when it resolves. */
export async function cancelAllBuilds(
  context: ApiContext,
  projectId: string,
  reason: string,
  signal: AbortSignal,
): Promise<void> {
  const builds = await context.database
    .selectFrom('build')
    .select('id')
    .where('project_id', '=', projectId)
    .where('finished_at', 'is', null)
    .execute();
  for (const { id } of builds) {
    signal.throwIfAborted();
    await cancelBuild(context, id, reason);
  }
}
