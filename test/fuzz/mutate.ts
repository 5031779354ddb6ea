import { gzipSync } from 'node:zlib';
import type { Choices } from './choices.ts';
import { brokenBodies, hostileHeader, hostileText, hostileValue } from './hostile.ts';
import { RawJson, writeJson } from './raw-json.ts';
import type { FuzzRequest } from './request.ts';
import { type Schema, sample } from './sample.ts';

/** A request that is in order, still in parts. */
export interface Draft {
  route: string;
  method: string;
  path: string;
  /** Values of the parts of the path that are ids. */
  ids: readonly string[];
  query: [name: string, value: string][];
  headers: Record<string, string>;
  body: unknown;
  form: 'json' | 'form' | 'bytes';
  /** What the description says of it. */
  schema: Schema | undefined;
  parameters: readonly string[];
  /** Gives the headers of a delivery with this body. */
  sign?: (body: Buffer) => Record<string, string>;
}

type Mutation = (draft: Draft, choices: Choices, ids: readonly string[]) => Draft;

/** Changes one or two things of a good request, or nothing. `ids` are those of all things there are, other teams' too. */
export function mutate(draft: Draft, choices: Choices, ids: readonly string[]): FuzzRequest {
  const { chance, oneOf } = choices;
  const body =
    draft.schema && chance(0.6) ? { ...sampled(draft, choices, ids), ...(draft.body as object) } : draft.body;
  let made: Draft = { ...draft, body };
  if (!chance(0.1)) made = oneOf(mutationsOf(draft))(made, choices, ids);
  if (chance(0.15)) made = oneOf(mutationsOf(draft))(made, choices, ids);
  return asRequest(made, choices);
}

function sampled({ schema = {} }: Draft, choices: Choices, ids: readonly string[]): object {
  const value = sample(schema, choices, ids);
  return typeof value === 'object' && value !== null ? value : {};
}

function mutationsOf({ schema, body, ids, form }: Draft): Mutation[] {
  return [
    ...(schema || body ? Array(form === 'bytes' ? 1 : 6).fill(hostileMember) : []),
    ...(ids.length > 0 ? [hostileId, foreignId] : []),
    ...[hostileQuery, hostileHeaderOf, hostileHeaderOf],
    ...(body === undefined ? [] : [breakBody, dropMember, otherType]),
    otherMethod,
  ];
}

const hostileMember: Mutation = (draft, choices) => {
  const value = draft.form === 'form' ? hostileText(choices) : hostileValue(choices);
  if (typeof draft.body !== 'object' || draft.body === null || Buffer.isBuffer(draft.body))
    return { ...draft, body: draft.form === 'bytes' ? Buffer.from(String(hostileText(choices))) : value };
  return { ...draft, body: replaceSomewhere(draft.body, value, draft, choices) };
};

/** Puts the value in the place of a member, at any depth, or beside the members under a name that is there or hostile. */
function replaceSomewhere(body: object, value: unknown, { schema }: Draft, choices: Choices): unknown {
  const { oneOf, chance } = choices;
  const names = [...new Set([...Object.keys(body), ...Object.keys(schema?.properties ?? {})])];
  if (names.length === 0 || chance(0.05))
    return chance(0.5) ? value : { ...body, [hostileText(choices)]: value };
  const name = oneOf(names);
  const member = (body as Record<string, unknown>)[name];
  const isDeep = typeof member === 'object' && member !== null && !(member instanceof RawJson);
  if (isDeep && Object.keys(member).length > 0 && chance(0.7)) {
    const inner = replaceSomewhere(member, value, { schema: schema?.properties?.[name] } as Draft, choices);
    return { ...body, [name]: Array.isArray(member) ? Object.values(inner as object) : inner };
  }
  return { ...body, [name]: isDeep && chance(0.3) ? [value, value] : value };
}

const dropMember: Mutation = (draft, { oneOf }) => {
  if (typeof draft.body !== 'object' || draft.body === null || Buffer.isBuffer(draft.body)) return draft;
  const names = Object.keys(draft.body);
  return names.length === 0 ? draft : { ...draft, body: { ...draft.body, [oneOf(names)]: undefined } };
};

const breakBody: Mutation = (draft, { oneOf, chance, below }) => {
  if (chance(0.5)) return { ...draft, body: Buffer.from(oneOf(brokenBodies) as string) };
  const whole = bytesOf(draft);
  if (chance(0.5)) return { ...draft, body: whole.subarray(0, below(whole.length + 1)) };
  if (chance(0.5))
    return { ...draft, body: gzipSync(whole), headers: { ...draft.headers, 'content-encoding': 'gzip' } };
  const text = whole.toString();
  // Every member twice, the second time as null.
  return { ...draft, body: Buffer.from(text.replace(/"(\w+)":/g, '"$1":null,"$1":')) };
};

const otherType: Mutation = (draft, { oneOf }) => ({
  ...draft,
  headers: { ...draft.headers, 'content-type': oneOf(mediaTypes) },
});

const mediaTypes = [
  ...[
    'text/plain',
    'text/html',
    'application/xml',
    'multipart/form-data',
    'multipart/form-data; boundary=x',
    'application/json-patch+json',
  ],
  ...[
    'application/merge-patch+json',
    'application/x-www-form-urlencoded',
    'application/octet-stream',
    'APPLICATION/JSON',
    'json',
    '',
  ],
  ...[
    'application/json; charset=utf-16',
    'application/json; charset=x',
    'application/json;',
    'application/json, text/plain',
    '*/*',
    'a/b/c',
  ],
];

const hostileId: Mutation = (draft, choices) => {
  const raw = hostileText(choices).slice(0, choices.chance(0.9) ? 90 : 3_000);
  const isRaw = choices.chance(0.3) && /^[\x21-\x7e]+$/.test(raw);
  const id = isRaw ? raw.replaceAll('#', '') : encode(raw);
  return { ...draft, path: draft.path.replace(choices.oneOf(draft.ids), () => id) };
};

const foreignId: Mutation = (draft, { oneOf }, ids) => ({
  ...draft,
  path: draft.path.replace(oneOf(draft.ids), () => oneOf(ids)),
});

const hostileQuery: Mutation = (draft, choices, ids) => {
  const { oneOf, chance } = choices;
  const name = oneOf([
    ...draft.parameters,
    'cursor',
    'limit',
    'project_id',
    '__proto__',
    'a[b]',
    hostileText(choices),
  ]);
  const cursor = () => Buffer.from(chance(0.5) ? oneOf(ids) : hostileText(choices)).toString('base64url');
  const value = oneOf([() => hostileText(choices), () => oneOf(ids), cursor])();
  const query: Draft['query'] = [...draft.query, [name.slice(0, 1_000), value.slice(0, 5_000)]];
  return { ...draft, query: chance(0.2) ? [...query, ...query] : query };
};

const hostileHeaderOf: Mutation = (draft, choices, ids) => {
  const { oneOf } = choices;
  const name = oneOf([
    'idempotency-key',
    'if-match',
    'ebb-team',
    'authorization',
    'cookie',
    'accept',
    'content-encoding',
    'accept-encoding',
    'origin',
    'last-event-id',
    'x-forwarded-for',
    'x-forwarded-proto',
    'host',
    'range',
    'expect',
    'x-request-id',
    'x-http-method-override',
    'transfer-encoding',
    'x-hub-signature-256',
    'content-type',
  ]);
  const value = oneOf([
    () => hostileHeader(choices),
    () => hostileHeader(choices),
    () => oneOf(headerValues),
    () => `"${oneOf(ids)}"`,
  ])();
  if (name === 'transfer-encoding' || name === 'expect') return draft;
  return { ...draft, headers: { ...draft.headers, [name]: value.trim() } };
};

const headerValues = [
  ...[
    '*',
    '"a"',
    'W/"a"',
    '"a", "b"',
    ',',
    'Bearer',
    'Bearer a.b.c',
    'bearer  x',
    'Basic Og==',
    'Basic %%%',
    'Basic YTpi',
    'Bearer eyJhbGciOiJub25lIn0.e30.',
  ],
  ...[
    'gzip',
    'deflate',
    'identity',
    'br, gzip',
    'bytes=0-',
    'null',
    'http://ebb.test',
    'http://evil.test',
    '-1',
    '999999999999999999999',
    '1e9',
  ],
  ...[
    'application/xml',
    'text/*;q=0',
    '127.0.0.1',
    '::ffff:10.0.0.1, 1.2.3.4',
    'http',
    'https,http',
    'ebb_session=a',
    'ebb_session=a; ebb_session=b',
    '=;=;',
  ],
  'k'.repeat(200),
  'k'.repeat(201),
];

const otherMethod: Mutation = (draft, { oneOf }) => ({
  ...draft,
  method: oneOf(['HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE', 'POST', 'GET', 'TRACE', 'PROPFIND', 'QUERY']),
});

function asRequest(draft: Draft, { chance }: Choices): FuzzRequest {
  const { route, method, path, query, headers, body, form } = draft;
  const text = query.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
  const url = text === '' ? path : `${path}?${text}`;
  const bytes = body === undefined ? undefined : bytesOf(draft);
  const types = {
    json: 'application/json',
    form: 'application/x-www-form-urlencoded',
    bytes: 'application/octet-stream',
  };
  const type = { 'content-type': types[form] };
  const signature = bytes && draft.sign && chance(0.9) ? draft.sign(bytes) : {};
  const sendsType = bytes !== undefined && !chance(0.01);
  return { route, method, url, headers: { ...signature, ...(sendsType && type), ...headers }, body: bytes };
}

function bytesOf({ body, form }: Draft): Buffer {
  if (Buffer.isBuffer(body)) return body;
  const isForm = form === 'form' && typeof body === 'object' && body !== null && !(body instanceof RawJson);
  if (!isForm) return Buffer.from(typeof body === 'string' && form !== 'json' ? body : writeJson(body));
  const members = Object.entries(body).filter(([, value]) => value !== undefined);
  return Buffer.from(members.map(([name, value]) => `${encode(name)}=${encode(String(value))}`).join('&'));
}

/** Percent-encoded, halves of surrogate pairs as the bytes that they would be. */
function encode(text: string): string {
  if (text.isWellFormed()) return encodeURIComponent(text);
  return [...text].map((part) => (part.isWellFormed() ? encodeURIComponent(part) : '%ED%A0%80')).join('');
}
