import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Value } from 'typebox/value';
import { isOptional } from '../../contract/is-optional.ts';
import type { Resource } from '../../contract/resource.ts';
import { declarableResources } from '../../contract/resources.ts';

export type Item = Record<string, unknown> & { id: string };

export interface Reply {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

const team = 'acme';

/** Answers a request for a resource of the contract from the items, and keeps what it changes there. */
export function route(items: Map<string, Item>, request: IncomingMessage, body: string): Reply {
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
  return `${prefixOf(resource)}_${String(made).padStart(26, '0')}`;
}

function kindOf(item: Item): Resource | undefined {
  return declarableResources.find((resource) => item.id.startsWith(`${prefixOf(resource)}_`));
}

function prefixOf({ computed: { id } }: Resource): string {
  return /^\^([a-z]+)_/.exec((id as { pattern?: string }).pattern ?? '')?.[1] ?? 'none';
}

function computed(resource: Resource, id: string): object {
  const values = Object.entries(resource.computed).map(([name, schema]) => {
    const { type, format } = schema as { type?: string; format?: string };
    if (format === 'date-time') return [name, '2026-11-01T12:00:00Z'];
    if (name === 'public_key') return [name, publicKey(id)];
    return [name, type === 'array' ? [`${name} of ${id}`] : `${name} of ${id}`];
  });
  return { ...Object.fromEntries(values), id, ...('team' in resource.computed && { team }) };
}

/** Has the form of an Ed25519 key in OpenSSH's format. */
function publicKey(id: string): string {
  const part = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
  const point = createHash('sha256').update(id).digest();
  return `ssh-ed25519 ${Buffer.concat([part(Buffer.from('ssh-ed25519')), part(point)]).toString('base64')}`;
}

export function problem(
  status: number,
  detail: string,
  errors?: { pointer: string; detail: string }[],
): Reply {
  return {
    status,
    body: {
      title: 'Refused',
      status,
      code: 'refused',
      detail,
      request_id: 'req_test',
      ...(errors && { errors }),
    },
  };
}
