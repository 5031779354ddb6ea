import type { Scope } from '../../contract/token.ts';
import type { ApiContext } from '../context.ts';
import { ProblemError } from '../http/problem-error.ts';
import { authenticate, findGood } from './authenticate.ts';
import { bearerChallenge } from './bearer-challenge.ts';
import type { Check } from './check.ts';
import type { Principal } from './principal.ts';

interface ScopeOptions {
  scopeOnOthers?: Scope | undefined;
  whileTeamIsRevoked?: boolean;
  wholeTeam?: boolean;
}

/**
 * Lets a request through when its token holds `scope`, and puts the principal on it. The API key
 * behind the token is looked up each time, so that revoking it counts at once on every API process. Of a team that is
 * being revoked one key is left, for the routes that say `whileTeamIsRevoked`; a token that is limited to a project opens
 * none that says `wholeTeam`. Where the path names another member than who asks, it takes `scopeOnOthers`, too.
 */
export function requireScope(
  context: ApiContext,
  scope: Scope,
  { scopeOnOthers, whileTeamIsRevoked = false, wholeTeam = false }: ScopeOptions = {},
): Check {
  return async (request, counted) => {
    const principal = await authenticate(context, request, whileTeamIsRevoked);
    request.principal = principal;
    await counted();
    requireHolds(principal, scope);
    const { id = '' } = request.params as { id?: string };
    // The token of a build opens its own build and nothing else, whatever the route.
    if (principal.buildId !== undefined) requireBuild(principal, id);
    if (wholeTeam) requireTeamToken(principal);
    if (scopeOnOthers !== undefined && id !== principal.keyId) requireHolds(principal, scopeOnOthers);
  };
}

/** 403 when the token lacks the scope. */
export function requireHolds(principal: Principal, scope: Scope): void {
  if (principal.scopes.includes(scope)) return;
  throw new ProblemError(
    403,
    'insufficient_scope',
    `The token lacks the scope ${scope}. Ask for one that has it.`,
    {
      headers: { 'www-authenticate': bearerChallenge('insufficient_scope', scope) },
    },
  );
}

/** Lets through who has the token that a runner was given with the build that the path names. */
export function requireBuildToken(context: ApiContext): Check {
  const requireRunner = requireScope(context, 'runner');
  return async (request, counted) => {
    await requireRunner(request, counted);
    requireBuild(request.principal, (request.params as { id: string }).id);
  };
}

/** Lets every good token through, for routes that judge by themselves who asks. */
export function requireToken(context: ApiContext): Check {
  return async (request, counted) => {
    request.principal = await authenticate(context, request, false);
    await counted();
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

/**
 * Whether an answer that began may go on: asked before each part of it, so that a key that is revoked, or loses the scope that the answer
 * was opened with, ends it.
 */
export function stillGood(context: ApiContext, principal: Principal, scope: Scope): () => Promise<boolean> {
  return async () => (await findGood(context, principal))?.principal.scopes.includes(scope) === true;
}

/** The same of an answer without an end, which the end of its token ends, too: who follows on asks again, with a new one. */
export function untilTokenEnds(
  { now }: Pick<ApiContext, 'now'>,
  { expiresAt }: Principal,
  mayGoOn: () => Promise<boolean>,
): () => Promise<boolean> {
  // In this order, because an end of a grant is noted by who meets it.
  return async () => (await mayGoOn()) && (expiresAt === undefined || expiresAt > now());
}
