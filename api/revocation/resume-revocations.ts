import type { ApiContext } from '../context.ts';
import { openRevocations } from './revocation-store.ts';
import { type Patience, revokeProject } from './revoke-project.ts';

/**
 * Goes on with every revocation that is open; the server calls it at its start and each minute. One that still
 * cannot finish stays open for the next time. Answers how many finished.
 */
export async function resumeRevocations(
  context: ApiContext,
  signal: AbortSignal,
  limits?: Patience,
): Promise<number> {
  let finished = 0;
  for (const projectId of await openRevocations(context.database)) {
    try {
      await revokeProject(context, projectId, signal, limits);
      finished += 1;
    } catch (error) {
      signal.throwIfAborted();
      context.log.warn({ project: projectId, err: error }, 'a revocation stays open');
    }
  }
  return finished;
}
