import type { FastifyRequest } from 'fastify';
import { isOperatorScope, scopes as knownScopes, type Scope, withParts } from '../../contract/token.ts';
import type { ApiContext } from '../context.ts';
import { ProblemError } from '../http/problem-error.ts';
import { memberPrincipal } from '../teams/member-principal.ts';
import { operators } from '../teams/operators.ts';
import type { TokenClaims } from '../token-keys/token-claims.ts';
import { bearerChallenge } from './bearer-challenge.ts';
import { findKey, isGood } from './find-key.ts';
import type { Principal } from './principal.ts';

const scopesWhileRevoked: Scope[] = ['projects:read', 'receipts:read', 'audit:read'];

/** Who asks. Throws 401. Of a team that is being revoked one key is left, for routes that say `whileTeamIsRevoked`. */
export async function authenticate(
  context: ApiContext,
  request: FastifyRequest,
  whileTeamIsRevoked: boolean,
): Promise<Principal> {
  return await principalNow(context, await claimedPrincipal(context, request), whileTeamIsRevoked);
}

/** What somebody who was let in once may do now. Throws 401 when that is nothing any more. */
export async function principalNow(
  context: ApiContext,
  claimed: Principal,
  whileTeamIsRevoked: boolean,
): Promise<Principal> {
  return (await withKey(context, claimed, whileTeamIsRevoked)).principal;
}

/** The same, with the key as it was read. */
async function withKey(context: ApiContext, claimed: Principal, whileTeamIsRevoked: boolean) {
  const key = await findKey(context, claimed);
  if (!key || !isGood(key, context.now()))
    throw unauthorized('token_revoked', 'This token, or the API key behind it, was revoked.');
  // A build's token is of the build's team, and of a runner's key.
  if (claimed.buildId === undefined && claimed.teamId !== key.team_id)
    throw unauthorized('invalid_token', 'The token is for another team than its API key.');
  // What was taken from the key since counts at once.
  const scopes = claimed.scopes.filter((scope) => key.scopes.includes(scope));
  const projectId = limitOf(claimed, key);
  const principal = { ...claimed, scopes, ...(projectId !== undefined && { projectId }) };
  if (key.team_revoking_at && !(key.reads_only && whileTeamIsRevoked)) {
    const left = key.reads_only
      ? ` Its key reads the revocation ${key.reads_only}, receipts and the audit trail alone.`
      : '';
    throw unauthorized('team_revoked', `The team of this token is revoked.${left}`);
  }
  // A build's token must still report the end of a build that is being revoked.
  if (principal.projectId && !principal.buildId) await requireLiveProject(context, principal.projectId);
  return { key, principal: { ...principal, scopes: scopesNow(principal, key) } };
}

function scopesNow({ scopes }: Principal, key: { team: string; team_revoking_at: Date | null }): Scope[] {
  // Whatever it could do before: who revoked the team can follow that and fetch what proves it.
  if (key.team_revoking_at) return [...new Set([...scopes, ...scopesWhileRevoked])];
  if (key.team === operators) return scopes;
  // Whatever a key of another team was given: what is the operators' alone counts for nothing there.
  return scopes.filter((scope) => !isOperatorScope(scope));
}

/** Who somebody who was let in once is now, with the key behind it; undefined when that is nothing any more. */
export async function findGood(context: ApiContext, claimed: Principal) {
  return await withKey(context, claimed, false).catch((error: unknown) => {
    if (error instanceof ProblemError && error.status === 401) return undefined;
    throw error;
  });
}

/** Of a token where there is one; a cookie, which a browser sends by itself, counts without. */
async function claimedPrincipal(context: ApiContext, request: FastifyRequest): Promise<Principal> {
  const { authorization } = request.headers;
  const member = authorization === undefined ? await memberPrincipal(context, request) : undefined;
  if (member) return member;
  const [, token] = /^bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
  if (token === undefined) {
    throw unauthorized(
      'missing_token',
      'Send an access token: Authorization: Bearer …; POST /v1/token gives one for an API key. People sign in at /sign-in.',
    );
  }
  const claims = await context.tokens.verify(token);
  if (claims) return toPrincipal(claims);
  throw unauthorized(
    'invalid_token',
    'The access token is not valid or has expired. Get a new one at POST /v1/token.',
  );
}

/** The project that token or key are limited to. */
function limitOf(claimed: Principal, key: { project_id: string | null }): string | undefined {
  const { projectId = key.project_id ?? undefined } = claimed;
  if (key.project_id !== null && projectId !== key.project_id)
    throw unauthorized('invalid_token', 'The token is for another project than its API key.');
  return projectId;
}

async function requireLiveProject(context: ApiContext, projectId: string): Promise<void> {
  const project = await context.database
    .selectFrom('project')
    .select(['revoking_at', 'revoked_at'])
    .where('id', '=', projectId)
    .executeTakeFirst();
  if (!project || project.revoking_at || project.revoked_at) {
    throw unauthorized('token_revoked', 'The project that this token was made for was revoked.');
  }
}

/** Who a token was given to, by its verified claims. */
export function toPrincipal(claims: TokenClaims): Principal {
  const { sub, jti, exp, team, project, build, attempt, lease, renewed } = claims;
  const granted = claims.scope.split(' ');
  return {
    ...{ keyId: sub, tokenId: jti, expiresAt: new Date(exp * 1000), teamId: team },
    scopes: withParts(knownScopes.filter((scope) => granted.includes(scope))),
    ...(renewed && { isRenewed: true }),
    ...(project !== undefined && { projectId: project }),
    ...(build !== undefined && { buildId: build }),
    ...(attempt !== undefined && { attempt }),
    ...(lease !== undefined && { leaseHolder: lease }),
  };
}

function unauthorized(code: string, detail: string): ProblemError {
  return new ProblemError(401, code, detail, {
    headers: { 'www-authenticate': bearerChallenge(code === 'missing_token' ? undefined : 'invalid_token') },
  });
}
