import type { FastifyRequest } from 'fastify';
import { teamScopes } from '../../contract/token.ts';
import type { Principal } from '../auth/principal.ts';
import type { ApiContext } from '../context.ts';
import { notFound, ProblemError } from '../http/problem-error.ts';
import { findPerson } from '../people/require-person.ts';
import { findMembership } from './member-store.ts';

/**
 * Who is signed in, as a member of the team that the header `Ebb-Team` names; what the role allows is judged with each request.
 * Undefined when nobody is signed in. Throws 400 without the header, and 404 for a team that is not the person's.
 */
export async function memberPrincipal(
  context: ApiContext,
  request: FastifyRequest,
): Promise<Principal | undefined> {
  const person = await findPerson(context, request);
  if (!person) return undefined;
  const team = request.headers['ebb-team'];
  if (typeof team !== 'string' || team === '')
    throw new ProblemError(
      400,
      'team_required',
      'Say for which team you ask: Ebb-Team: NAME. GET /v1/teams lists yours.',
    );
  const member = await findMembership(context.database, person.personId, team);
  if (!member) throw notFound('team', team);
  const { id: keyId, team_id: teamId } = member;
  return { keyId, teamId, scopes: [...teamScopes], sessionId: person.sessionId };
}
