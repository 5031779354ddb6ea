import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Value } from 'typebox/value';
import { isOptional, type Resource } from '../../contract/resource.ts';
import { declarableResources } from '../../contract/resources.ts';

type Item = Record<string, unknown> & { id: string };
interface Reply {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

/** What a test may look at and change behind Terraform's back. */
export interface FakeApi {
  endpoint: string;
  apiKey: string;
  /** By id, over all resources. */
  items: Map<string, Item>;
  /** Bodies of what was sent, newest last: `PATCH /v1/projects/prj_… {"test":[]}`. */
  requests: string[];
  /** Takes the place of the next answers, one each, to requests that match `METHOD /path`. */
  interfere(match: RegExp, ...replies: Reply[]): void;
  close(): Promise<void>;
}

const team = 'acme';
const token = 'header.payload.signature';
const idPrefixes: Record<string, string> = {
  connection: 'conn',
  project: 'prj',
  deploy_key: 'dk',
  hook_binding: 'hook',
  secret: 'sec',
};

/** A server in memory that answers as the contract says, for tests of the provider alone; over TLS when given a key. */
export async function startFakeApi(tls?: { key: string; cert: string }): Promise<FakeApi> {
  const items = new Map<string, Item>();
  const requests: string[] = [];
  const interferences: { match: RegExp; reply: Reply }[] = [];
  const apiKey = 'ebb_key_test_0123456789';

  const answer = async (request: IncomingMessage): Promise<Reply> => {
    const body = await text(request);
    const line = `${request.method} ${request.url}`;
    const index = interferences.findIndex(({ match }) => match.test(line));
    const [interference] = index < 0 ? [] : interferences.splice(index, 1);
    if (request.url === '/v1/token') return interference?.reply ?? issueToken(body, apiKey);
    requests.push(`${line} ${body}`.trim());
    if (interference) return interference.reply;
    if (request.headers.authorization !== `Bearer ${token}`) return problem(401, 'The token is not valid.');
    return route(items, request, body);
  };

  const listener = (request: IncomingMessage, response: ServerResponse) => {
    answer(request).then((reply) => respond(response, reply));
  };
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    apiKey,
    items,
    requests,
    interfere: (match, ...replies) => interferences.push(...replies.map((reply) => ({ match, reply }))),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function problem(
  status: number,
  detail: string,
  errors?: { pointer: string; detail: string }[],
): Reply {
  return {
    status,
    body: { title: 'Refused', status, detail, request_id: 'req_test', ...(errors && { errors }) },
  };
}

function respond(response: ServerResponse, { status, body, headers }: Reply): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

function issueToken(form: string, apiKey: string): Reply {
  if (new URLSearchParams(form).get('client_secret') !== apiKey) return { status: 401, body: {} };
  return { status: 200, body: { access_token: token, token_type: 'Bearer', expires_in: 300, scope: '' } };
}

function route(items: Map<string, Item>, request: IncomingMessage, body: string): Reply {
  const url = new URL(request.url ?? '', 'http://api');
  const resource = declarableResources.find(({ path }) => url.pathname.startsWith(path));
  if (!resource) return problem(404, 'There is no such path.');
  const id = url.pathname.slice(resource.path.length + 1);
  if (id === '') {
    if (request.method === 'POST') return create(items, resource, JSON.parse(body));
    return list(items, resource, url.searchParams.get('natural_id'));
  }
  const item = items.get(id);
  if (!item) return problem(404, `There is no ${resource.name} ${id}.`);
  if (request.method === 'DELETE') {
    items.delete(id);
    return { status: 204 };
  }
  if (request.method === 'PATCH')
    return change(item, resource, request.headers['if-match'], JSON.parse(body));
  return represent(item);
}

function create(items: Map<string, Item>, resource: Resource, body: Record<string, unknown>): Reply {
  const wrong = schemaProblem(resource.creation, body);
  if (wrong) return wrong;
  const names = resource.naturalId.map((name) => (name === 'project' ? 'project_id' : name));
  const taken = [...items.values()].some(
    (item) => kindOf(item) === resource && names.every((name) => item[name] === body[name]),
  );
  if (taken) {
    const pointer = `#/${names.at(-1)}`;
    return problem(409, 'It exists already.', [
      { pointer, detail: 'It is taken: choose another or import it.' },
    ]);
  }
  const id = newId(resource);
  const item = { ...computed(resource, id), ...withDefaults(resource, body) } as Item;
  for (const name of Object.keys(resource.writeOnly)) delete item[name];
  items.set(id, item);
  return { ...represent(item), status: 201 };
}

function change(item: Item, resource: Resource, ifMatch: string | undefined, body: object): Reply {
  if (ifMatch !== undefined && ifMatch !== etag(item))
    return problem(412, 'It was changed by somebody else.');
  const wrong = schemaProblem(resource.change, body);
  if (wrong) return wrong;
  const given = Object.entries(body).filter(([name, value]) => name in resource.changeable && value !== null);
  const kept = Object.entries(item).filter(([name]) => !(name in body));
  Object.assign(item, withDefaults(resource, Object.fromEntries([...kept, ...given])));
  return represent(item);
}

function list(items: Map<string, Item>, resource: Resource, naturalId: string | null): Reply {
  const mine = [...items.values()].filter((item) => kindOf(item) === resource);
  const named = mine.filter((item) => naturalId === null || nameOf(items, item, resource) === naturalId);
  return { status: 200, body: { items: named, next_cursor: null } };
}

function nameOf(items: Map<string, Item>, item: Item, resource: Resource): string {
  const project = items.get(String(item.project_id));
  return [team, ...resource.naturalId.map((name) => (name === 'project' ? project?.name : item[name]))].join(
    '/',
  );
}

function represent(item: Item): Reply {
  return { status: 200, body: item, headers: { etag: etag(item) } };
}

function etag(item: Item): string {
  return `"${createHash('sha256')
    .update(JSON.stringify(Object.entries(item).sort()))
    .digest('base64url')}"`;
}

function schemaProblem(schema: Resource['creation'], body: object): Reply | undefined {
  const [error] = Value.Errors(schema, body);
  if (!error) return undefined;
  return problem(422, 'The request is not valid.', [
    { pointer: `#${error.instancePath}`, detail: error.message },
  ]);
}

function withDefaults(resource: Resource, body: object): object {
  const defaults = Object.entries(resource.changeable)
    .filter(([, schema]) => isOptional(schema) && 'default' in schema)
    .map(([name, schema]) => [name, (schema as { default?: unknown }).default]);
  return { ...Object.fromEntries(defaults), ...body };
}

let made = 0;

function newId(resource: Resource): string {
  made += 1;
  return `${idPrefixes[resource.name]}_${String(made).padStart(26, '0')}`;
}

function kindOf(item: Item): Resource | undefined {
  return declarableResources.find(({ name }) => item.id.startsWith(`${idPrefixes[name]}_`));
}

function computed(resource: Resource, id: string): object {
  const values = Object.entries(resource.computed).map(([name, schema]) => {
    const { type, format } = schema as { type?: string; format?: string };
    if (format === 'date-time') return [name, '2026-11-01T12:00:00Z'];
    return [name, type === 'array' ? [`${name} of ${id}`] : `${name} of ${id}`];
  });
  return { ...Object.fromEntries(values), id, ...('team' in resource.computed && { team }) };
}
