import type { FastifyReply, FastifyRequest } from 'fastify';
import { isOperatorScope, scopes as knownScopes, type Scope } from '../../contract/token.ts';
import type { ApiContext } from '../context.ts';
import { ProblemError } from '../http/problem-error.ts';
import { memberPrincipal } from '../teams/member-principal.ts';
import { operators } from '../teams/operators.ts';
import { type Asking, findKey, isGood } from './find-key.ts';
import type { Principal } from './principal.ts';

const scopesWhileRevoked: Scope[] = ['projects:read', 'receipts:read', 'audit:read'];

interface ScopeOptions {
  scopeOnOthers?: Scope | undefined;
  whileTeamIsRevoked?: boolean;
  wholeTeam?: boolean;
}

/**
 * A hook that lets a request through when its token holds `scope`, and puts the principal on it. The API key
 * behind the token is looked up each time, so that revoking it counts at once on every API process. Of a team that is
 * being revoked one key is left, for the routes that say `whileTeamIsRevoked`; a token that is limited to a project opens
 * none that says `wholeTeam`. Where the path names another member than who asks, it takes `scopeOnOthers`, too.
 */
export function requireScope(
  context: ApiContext,
  scope: Scope,
  { scopeOnOthers, whileTeamIsRevoked = false, wholeTeam = false }: ScopeOptions = {},
) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const principal = await authenticate(context, request, whileTeamIsRevoked);
    request.principal = principal;
    await request.server.limitKey(request, reply);
    requireHolds(principal, scope);
    const { id = '' } = request.params as { id?: string };
    // The token of a build opens its own build and nothing else, whatever the route.
    if (principal.buildId !== undefined) requireBuild(principal, id);
    if (wholeTeam) requireTeamToken(principal);
    if (scopeOnOthers !== undefined && id !== principal.keyId) requireHolds(principal, scopeOnOthers);
  };
}

function requireHolds(principal: Principal, scope: Scope): void {
  if (principal.scopes.includes(scope)) return;
  throw new ProblemError(
    403,
    'insufficient_scope',
    `The token lacks the scope ${scope}. Ask for one that has it.`,
    {
      headers: { 'www-authenticate': `Bearer error="insufficient_scope", scope="${scope}"` },
    },
  );
}

/** A hook that lets through who has the token that a runner was given with the build that the path names. */
export function requireBuildToken(context: ApiContext) {
  const requireRunner = requireScope(context, 'runner');
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    await requireRunner(request, reply);
    requireBuild(request.principal, (request.params as { id: string }).id);
  };
}

/** A hook that lets every good token through, for routes that judge by themselves who asks. */
export function requireToken(context: ApiContext) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    request.principal = await authenticate(context, request, false);
    await request.server.limitKey(request, reply);
  };
}

/** 403 when the token is limited to another project. */
export function requireProject(principal: Principal, projectId: string): void {
  if (principal.projectId !== undefined && principal.projectId !== projectId) {
    throw new ProblemError(403, 'wrong_project', 'The token is limited to another project.');
  }
}

/** The project that a list is limited to, by the token or by the query; 403 when they differ. */
export function projectOfList(principal: Principal, asked: string | undefined): string | undefined {
  if (asked !== undefined) requireProject(principal, asked);
  return asked ?? principal.projectId;
}

/** 403 when the token is limited to a project: the thing belongs to the whole team. */
export function requireTeamToken(principal: Principal): void {
  if (principal.projectId === undefined) return;
  throw new ProblemError(
    403,
    'wrong_project',
    'The token is limited to one project, and this belongs to the whole team. Ask for a token without project_id.',
  );
}

/** 403 when the token is not the one that was made for this build. */
function requireBuild(principal: Principal, buildId: string): void {
  if (principal.buildId !== buildId) {
    throw new ProblemError(
      403,
      'wrong_build',
      'Only the token that came with the claim of this build is good for it.',
    );
  }
}

/** Whether an answer that began may go on: asked before each part of it, so that a key that is revoked ends it. */
export function stillGood(context: ApiContext, principal: Asking): () => Promise<boolean> {
  return async () => {
    const key = await findKey(context, principal);
    return key !== undefined && isGood(key, context.now()) && !key.team_revoking_at;
  };
}

async function authenticate(
  context: ApiContext,
  request: FastifyRequest,
  whileTeamIsRevoked: boolean,
): Promise<Principal> {
  const claimed = await claimedPrincipal(context, request);
  const key = await findKey(context, claimed);
  if (!key || !isGood(key, context.now()))
    throw unauthorized('token_revoked', 'This token, or the API key behind it, was revoked.');
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
  // Whatever it could do before: who revoked the team can follow that and fetch what proves it.
  if (key.team_revoking_at)
    return { ...principal, scopes: [...new Set([...principal.scopes, ...scopesWhileRevoked])] };
  if (key.team === operators) return principal;
  // Whatever a key of another team was given: what is the operators' alone counts for nothing there.
  return { ...principal, scopes: principal.scopes.filter((scope) => !isOperatorScope(scope)) };
}

/** Of a token where there is one; a cookie, which a browser sends by itself, counts without. */
async function claimedPrincipal(context: ApiContext, request: FastifyRequest): Promise<Principal> {
  const { authorization } = request.headers;
  const member = authorization === undefined ? await memberPrincipal(context, request) : undefined;
  if (member) return member;
  const [scheme, token] = (authorization ?? '').split(' ');
  if (scheme?.toLowerCase() !== 'bearer' || !token) {
    throw unauthorized(
      'missing_token',
      'Send an access token: Authorization: Bearer …; POST /v1/token gives one for an API key. People sign in at /sign-in.',
    );
  }
  const claims = await context.signer.verifyToken(token).catch(() => {
    throw unauthorized(
      'invalid_token',
      'The access token is not valid or has expired. Get a new one at POST /v1/token.',
    );
  });
  return toPrincipal(claims);
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

function toPrincipal(claims: Record<string, unknown>): Principal {
  const text = (name: string) => (typeof claims[name] === 'string' ? (claims[name] as string) : undefined);
  const project = text('project');
  const build = text('build');
  const granted = (text('scope') ?? '').split(' ');
  return {
    keyId: text('sub') ?? '',
    ...(typeof claims.jti === 'string' ? { tokenId: claims.jti } : {}),
    teamId: text('team') ?? '',
    scopes: knownScopes.filter((scope) => granted.includes(scope)),
    ...(claims.renewed === true ? { isRenewed: true } : {}),
    ...(project ? { projectId: project } : {}),
    ...(build ? { buildId: build } : {}),
    ...(typeof claims.attempt === 'number' ? { attempt: claims.attempt } : {}),
    ...(typeof claims.lease === 'string' ? { leaseHolder: claims.lease } : {}),
  };
}

function unauthorized(code: string, detail: string): ProblemError {
  return new ProblemError(401, code, detail, {
    headers: { 'www-authenticate': code === 'missing_token' ? 'Bearer' : `Bearer error="invalid_token"` },
  });
}
