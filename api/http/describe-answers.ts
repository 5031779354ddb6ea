import { STATUS_CODES } from 'node:http';
import { Problem, problemMediaType } from '../../contract/problem.ts';
import { OAuthProblem } from '../../contract/token.ts';
import type { Route } from '../auth/rule.ts';
import type { Refusal } from './own-refusals.ts';
import {
  isConditional,
  isOfConnection,
  isOnce,
  refusalsOf,
  showsPages,
  speaksOAuth,
  takesTeam,
} from './refusals.ts';
import { summaries } from './summaries.ts';

/** As much of an OpenAPI document as this reads and writes. */
export interface Description {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas?: object; responses?: Record<string, object>; headers?: object; parameters?: object };
}
interface Operation {
  summary?: string;
  parameters?: ({ in: string; name: string; schema?: { pattern?: string } } | { $ref: string })[];
  responses: Record<string, { description?: string; content?: object }>;
}

const integer = (description: string) => ({ description, schema: { type: 'integer' } });
const text = (description: string) => ({ description, schema: { type: 'string' } });
const headers = {
  RequestId: text('Names this answer in the logs of who operates Ebb.'),
  RetryAfter: integer('Seconds after which it may be worth trying again.'),
  RateLimitLimit: integer('Requests that may be made within a minute.'),
  RateLimitRemaining: integer('How many are left of them.'),
  RateLimitReset: integer('Seconds until all may be made again.'),
  WwwAuthenticate: text('How to say who one is (RFC 9110, section 11.6.1).'),
};
const named = (name: keyof typeof headers) => ({ $ref: `#/components/headers/${name}` });
const retryAfter = { 'retry-after': named('RetryAfter') };
const headersOf: Record<string, object> = {
  401: { 'www-authenticate': named('WwwAuthenticate') },
  403: { 'www-authenticate': named('WwwAuthenticate') },
  429: {
    ...{ ...retryAfter, 'ratelimit-limit': named('RateLimitLimit') },
    ...{ 'ratelimit-remaining': named('RateLimitRemaining'), 'ratelimit-reset': named('RateLimitReset') },
  },
  503: retryAfter,
};

const parameters = {
  IdempotencyKey: {
    ...{ in: 'header', name: 'Idempotency-Key', schema: { type: 'string', minLength: 1, maxLength: 200 } },
    description: 'Makes a repetition of the request give the answer of the first.',
  },
  IfMatch: {
    ...{ in: 'header', name: 'If-Match', schema: { type: 'string' } },
    description: 'The ETag of what is changed: 412 when it is not that any more.',
  },
  Team: {
    ...{ in: 'header', name: 'Ebb-Team', schema: { type: 'string' } },
    description: 'The team for which a person asks who is signed in with a session.',
  },
};

/** Adds to each route of the document what it does, all that it can refuse, with the form and headers, and the headers that it takes. */
export function describeAnswers<T>(document: T): T {
  const description = document as Description;
  const { components } = description;
  const responses: Record<string, object> = {};
  for (const [path, operations] of Object.entries(description.paths))
    for (const [method, operation] of Object.entries(operations)) {
      const route = `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}` as Route;
      const summary = summaries[route];
      if (summary !== undefined) operation.summary = summary;
      if (!route.startsWith('GET')) sayThatItIsEmpty(operation);
      const shape = shapeOf(operation);
      for (const [status, codes] of byStatus(refusalsOf(route, shape))) {
        const form = formOf(route);
        const name = [form, status, ...codes].join('.');
        responses[name] ??= refusalIn[form](status, codes);
        operation.responses[status] ??= { $ref: `#/components/responses/${name}` } as object;
      }
      const taken = [
        ...(isOnce(route, shape) ? ['IdempotencyKey'] : []),
        ...(isConditional(route) ? ['IfMatch'] : []),
        ...(takesTeam(route) ? ['Team'] : []),
      ].map((name) => ({ $ref: `#/components/parameters/${name}` }));
      if (taken.length > 0) operation.parameters = [...(operation.parameters ?? []), ...taken];
    }
  Object.assign(components, { headers, parameters });
  components.responses = Object.fromEntries(Object.entries(responses).sort());
  components.schemas = { ...components.schemas, Problem, OAuthProblem };
  return document;
}

function formOf(route: Route): keyof typeof refusalIn {
  if (speaksOAuth(route)) return 'oauth';
  return showsPages(route) ? 'page' : 'problem';
}

/** What declares no answer gives none; the plugin takes that for a 200. */
function sayThatItIsEmpty({ responses }: Operation): void {
  if (responses[200]?.content !== undefined || responses[200]?.description !== 'Default Response') return;
  delete responses[200];
  responses[204] = { description: 'It is done.' };
}

function shapeOf({ parameters: list = [], responses }: Operation) {
  const own = list.flatMap((each) => ('in' in each ? [each] : []));
  return {
    query: own.filter((each) => each.in === 'query').map(({ name }) => name),
    judgesPath: own.some((each) => each.in === 'path' && each.schema?.pattern !== undefined),
    successes: Object.keys(responses),
  };
}

function byStatus(refusals: readonly Refusal[]): Map<string, string[]> {
  const statuses = new Map<string, string[]>();
  for (const refusal of refusals) {
    const [status = '', code = ''] = refusal.split(' ');
    statuses.set(status, [...(statuses.get(status) ?? []), code]);
  }
  return statuses;
}

const response = (status: string, codes: readonly string[], mediaType: string, schema: object) => ({
  description: `${STATUS_CODES[status]}: ${codes.map((code) => `\`${code}\``).join(', ')}`,
  headers: { 'x-request-id': named('RequestId'), ...headersOf[status] },
  content: { [mediaType]: { schema } },
});

function problemResponse(status: string, codes: readonly string[]): object {
  const these = { properties: { status: { const: Number(status) }, code: { enum: codes } } };
  return response(status, codes, problemMediaType, {
    allOf: [{ $ref: '#/components/schemas/Problem' }, these],
  });
}

/** See RFC 6749, section 5.2. */
function oauthResponse(status: string, codes: readonly string[]): object {
  // What every connection can get is told before anybody knows for which route it is.
  const own = codes.filter((code) => !isOfConnection(code));
  const these = { properties: { error: { enum: own } } };
  const oauth = { allOf: [{ $ref: '#/components/schemas/OAuthProblem' }, these] };
  if (own.length === 0) return problemResponse(status, codes);
  const both = response(status, codes, 'application/json', oauth) as { content: object };
  if (own.length === codes.length) return both;
  const problem = problemResponse(status, codes.filter(isOfConnection)) as { content: object };
  return { ...both, content: { ...both.content, ...problem.content } };
}

/** A person reads a page, everybody else the problem document. */
function pageResponse(status: string, codes: readonly string[]): object {
  const problem = problemResponse(status, codes) as { content: object };
  // What broke inside, or is refused before a route is looked for, has no page.
  if (status === '500' || codes.every(isOfConnection)) return problem;
  return { ...problem, content: { ...problem.content, 'text/html': { schema: { type: 'string' } } } };
}

const refusalIn = { oauth: oauthResponse, page: pageResponse, problem: problemResponse };
