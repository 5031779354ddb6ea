import type { ApiContext } from '../context.ts';
import {
  cancelIntermediateBuilds,
  lockIntermediateBuilds,
  type Superseded,
} from './cancel-intermediate-builds.ts';
import { insertBuild, type NewBuild } from './insert-build.ts';
import type { BuildRow } from './state-machine.ts';

/**
 * Writes the row of a build that a source host told of and, when what it builds is known to be the newest of its ref,
 * cancels those before it as the project declares. Run it in a transaction, `signalCancellations` after it. Throws as
 * `insertBuild` does.
 */
export async function insertPushedBuild(
  inside: Pick<ApiContext, 'database' | 'now'>,
  wanted: NewBuild,
  isNewest: boolean,
): Promise<{ build: BuildRow; cancelled: Superseded[] }> {
  const older = isNewest ? await lockIntermediateBuilds(inside.database, wanted) : [];
  const build = await insertBuild(inside.database, wanted, inside.now());
  return { build, cancelled: await cancelIntermediateBuilds(inside, older, build) };
}
