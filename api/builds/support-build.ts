import type { BuildSpecification } from '../../contract/runner.ts';
import { grantLasts } from '../access-grants/end-of-grant.ts';
import type { ApiContext } from '../context.ts';
import { type BuildRow, transition } from './state-machine.ts';

export const grantEnded = 'The access grant it was to run under has ended.';

/**
 * What a build under an access grant runs instead of the project's commands, and whether it may see the environment; undefined
 * for any other build. Ends the build when the grant has ended meanwhile; run it in the transaction of the claim.
 */
export async function supportOf(
  { database, now }: ApiContext,
  build: BuildRow,
): Promise<{ steps: BuildSpecification['steps']; seesEnvironment: boolean } | 'grant_ended' | undefined> {
  if (build.access_grant_id === null) return undefined;
  const grant = await database
    .selectFrom('access_grant')
    .select(['scope', 'ends_at', 'ended_at', 'deleted_at'])
    .where('id', '=', build.access_grant_id)
    .executeTakeFirstOrThrow();
  if (!grantLasts(grant, now())) {
    const end = { reason: grantEnded, finished_at: now() };
    await transition(database, build.id, 'end', 'cancelled', end);
    return 'grant_ended';
  }
  return {
    steps: [{ phase: 'test', commands: build.support_commands ?? [] }],
    seesEnvironment: grant.scope.includes('environment'),
  };
}
