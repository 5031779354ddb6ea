import type { ApiContext } from '../context.ts';
import type { RevocationRow } from './revocation-store.ts';
import { continueConnection } from './revoke-connection.ts';
import { continueProject, type Patience, patience } from './revoke-project.ts';
import { continueTeam } from './revoke-team.ts';

const continueKind = { project: continueProject, connection: continueConnection, team: continueTeam };

/** Goes on with a revocation of any kind; gives the id of its receipt, or throws the problem that holds it up. */
export async function continueRevocation(
  context: ApiContext,
  { id, kind }: Pick<RevocationRow, 'id' | 'kind'>,
  signal: AbortSignal,
  limits: Patience = patience,
): Promise<string> {
  return await continueKind[kind](context, id, signal, limits);
}
