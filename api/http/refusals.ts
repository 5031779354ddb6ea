import { rules } from '../auth/authorization.ts';
import type { Route, Rule } from '../auth/rule.ts';
import { ownRefusals, type Refusal } from './own-refusals.ts';
import { neverBlocked } from './rate-limits.ts';
import { probes } from './require-https.ts';

/** What a route takes, as its description says. */
export interface Shape {
  query: readonly string[];
  /** Whether a part of its path must have a form. */
  judgesPath: boolean;
  /** Statuses of what it answers when all is well. */
  successes: readonly string[];
}

const ruleOf = new Map(rules);

// Introspection is refused as other routes are: who asks shows a token (RFC 7662, section 2.3).
const ofOAuthForm: ReadonlySet<Route> = new Set([
  'POST /v1/token',
  'POST /v1/token/renew',
  'POST /v1/token/revoke',
  'GET /.well-known/jwks.json',
]);

/** Routes whose refusals have the form of OAuth 2.0 (RFC 6749, section 5.2). */
export function speaksOAuth(route: Route): boolean {
  return ofOAuthForm.has(route);
}

/** Routes that a browser is led to: what they refuse is a page for who asks for one. */
export function showsPages(route: Route): boolean {
  return route.startsWith('GET /v1/sign-in/github');
}

/**
 * All that a route can refuse, from what it is: who may call it, what it takes and where it stands; and its own.
 * Throws for a route that no rule is for.
 */
export function refusalsOf(route: Route, shape: Shape): Refusal[] {
  const rule = ruleOf.get(route);
  if (!rule) throw new Error(`No rule says who may call ${route}.`);
  if (speaksOAuth(route)) return ofOAuth(route);
  const path = route.split(' ')[1] ?? '';
  const all: Refusal[] = [
    ...ofEveryRoute(path),
    ...ofBody(route, rule),
    ...ofQuery(shape, route),
    ...ofCaller(route, rule),
    ...(path.includes('/:') ? (['414 id_too_long'] as const) : []),
    ...(isOnce(route, shape) ? ofCreation : []),
    ...(isConditional(route, rule) ? (['412 changed_meanwhile'] as const) : []),
    ...(ownRefusals[route] ?? []),
  ];
  return [...new Set(all)].sort();
}

/** Whether the route takes an Idempotency-Key. */
export function isOnce(route: Route, { successes }: Pick<Shape, 'successes'>): boolean {
  return route.startsWith('POST') && successes.includes('201') && takesToken(ruleOf.get(route));
}

/** Whether the route takes If-Match. */
export function isConditional(route: Route, rule = ruleOf.get(route)): boolean {
  return route.startsWith('PATCH') && takesToken(rule);
}

/** Whether a person asks for it as a member of the team that the header Ebb-Team names. */
export function takesTeam(route: Route): boolean {
  return takesToken(ruleOf.get(route));
}

function takesToken(rule: Rule | undefined): boolean {
  return rule !== undefined && !['anyone', 'holder', 'source host', 'person'].includes(rule.who);
}

const ofCreation: Refusal[] = [
  '400 invalid_idempotency_key',
  '409 request_in_progress',
  '422 idempotency_key_reused',
];

/** Of what is no HTTP, or takes too long: before any route is looked for, always as a problem document. */
const ofConnection: Refusal[] = ['400 bad_request', '408 request_timeout', '431 headers_too_large'];

export function isOfConnection(code: string): boolean {
  return ofConnection.some((refusal) => refusal.endsWith(` ${code}`));
}

function ofEveryRoute(path: string): Refusal[] {
  return [
    ...ofConnection,
    ...(['400 invalid_url', '500 internal_error'] as const),
    ...(probes.has(path) ? [] : (['403 https_required', '503 stopping'] as const)),
    ...(neverBlocked.has(path) ? [] : (['429 too_many_refusals'] as const)),
  ];
}

/** Every method but GET may bring a body, and it is judged before anybody knows whether it is wanted. */
function ofBody(route: Route, rule: Rule): Refusal[] {
  if (route.startsWith('GET')) return [];
  // Of any type, if it is one.
  if (rule.who === 'source host') return ['413 body_too_large', '415 unsupported_media_type'];
  return [
    '413 body_too_large',
    ...([
      '400 empty_body',
      '400 invalid_json',
      '415 unsupported_media_type',
      '422 validation_failed',
    ] as const),
  ];
}

function ofQuery({ query, judgesPath }: Shape, route: Route): Refusal[] {
  return [
    ...(query.length > 0 || judgesPath ? (['400 validation_failed'] as const) : []),
    ...(query.includes('cursor') && route.startsWith('GET') ? (['400 invalid_cursor'] as const) : []),
    ...(query.includes('natural_id') ? (['400 invalid_natural_id'] as const) : []),
  ];
}

function ofCaller(route: Route, rule: Rule): Refusal[] {
  const fromPages: Refusal[] = route.startsWith('GET')
    ? []
    : ['403 wrong_origin', '415 unsupported_media_type'];
  if (rule.who === 'person') return ['401 not_signed_in', '429 rate_limited', ...fromPages];
  if (rule.who === 'source host') return ['404 not_found'];
  if (!takesToken(rule)) return [];
  return [
    ...(['400 team_required', '401 invalid_token', '401 missing_token', '401 team_revoked'] as const),
    ...(['401 token_revoked', '404 not_found', '429 rate_limited'] as const),
    ...fromPages,
    ...ofScope(rule),
  ];
}

function ofScope(rule: Rule): Refusal[] {
  if (rule.who === 'core crew with a grant') return [];
  const isOfRunner =
    rule.who === 'runner of the build' || (rule.who === 'operators' && rule.scope === 'runner');
  return [
    '403 insufficient_scope',
    ...(isOfRunner ? (['403 wrong_build'] as const) : []),
    ...(rule.who === 'team' && rule.projectTokens !== 'all' ? (['403 wrong_project'] as const) : []),
  ];
}

function ofOAuth(route: Route): Refusal[] {
  const path = route.split(' ')[1] ?? '';
  return [
    '400 invalid_request',
    ...(path === '/v1/token' ? (['400 invalid_scope', '400 unsupported_grant_type'] as const) : []),
    ...(path === '/v1/token' ? (['401 invalid_client'] as const) : []),
    ...ofConnection,
    ...(neverBlocked.has(path) ? [] : (['429 invalid_request'] as const)),
    ...(['500 server_error', '503 server_error'] as const),
  ];
}
