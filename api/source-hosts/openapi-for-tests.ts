import assert from 'node:assert/strict';
import { Ajv, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';

type Json = Record<string, unknown>;

/** One operation of a published API description, found by the method and path of a request. */
export interface Operation {
  name: string;
  /** Throws when the host would not have promised this: an unknown query parameter, or a body of another shape. */
  checkRequest(query: URLSearchParams, body: unknown): void;
  /** Throws when the description promises another body for the status; what it says nothing of is not checked. */
  checkResponse(status: number, body: unknown): void;
}

export interface ApiDescription {
  /** Throws when the description knows no such operation. `path` is relative to its base path. */
  operation(method: string, path: string): Operation;
  /** Throws when the value is not what the schema of this name describes. */
  checkSchema(name: string, value: unknown): void;
}

/** A description of OpenAPI 3 or Swagger 2, as a host publishes it, to hold a stand-in to. */
export function createApiDescription(document: Json): ApiDescription {
  const ajv = new Ajv({ strict: false, allErrors: true, logger: false });
  addFormats.default(ajv);
  const validators = new Map<string, ValidateFunction>();
  const lookup = (pointer: string) => find(document, pointer);
  const check = (what: string, schema: unknown, value: unknown) => {
    let validate = validators.get(what);
    if (!validate) {
      validate = ajv.compile(withNull(bundle(schema, lookup)) as Json);
      validators.set(what, validate);
    }
    const message = () =>
      `${what}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(value).slice(0, 2_000)}`;
    assert.ok(validate(value), message());
  };
  const resolve = (value: unknown): Json => {
    const object = (value ?? {}) as Json;
    return typeof object.$ref === 'string' ? resolve(lookup(object.$ref)) : object;
  };
  const templates = Object.keys(document.paths as Json)
    .map((template) => ({ template, pattern: patternOf(template) }))
    // The most literal first: /repos/{o}/{r}/keys/{id} and not /repos/{o}/{r}/{x}/{y}.
    .sort((a, b) => a.template.split('{').length - b.template.split('{').length);
  return {
    operation(method, path) {
      const named = ({ template }: { template: string }) =>
        resolve((document.paths as Json)[template])[method.toLowerCase()];
      const found = templates.find((entry) => entry.pattern.test(path) && named(entry) !== undefined);
      assert.ok(found, `the published API has no ${method} ${path}`);
      const name = `${method} ${found.template}`;
      return describe(name, resolve(named(found)), {
        shared: resolve((document.paths as Json)[found.template]).parameters,
        check,
        resolve,
      });
    },
    checkSchema: (name, value) => check(name, { $ref: `#/components/schemas/${name}` }, value),
  };
}

interface Parts {
  shared: unknown;
  check(what: string, schema: unknown, value: unknown): void;
  resolve(value: unknown): Json;
}

function describe(name: string, operation: Json, { shared, check, resolve }: Parts): Operation {
  const list = [...((shared ?? []) as unknown[]), ...((operation.parameters ?? []) as unknown[])].map(
    resolve,
  );
  const bodyParameter = list.find((parameter) => parameter.in === 'body');
  const bodySchema = bodyParameter?.schema ?? schemaOf(resolve(operation.requestBody));
  return {
    name,
    checkRequest(query, body) {
      const known = list.filter((parameter) => parameter.in === 'query').map((parameter) => parameter.name);
      for (const key of query.keys()) assert.ok(known.includes(key), `${name} has no query parameter ${key}`);
      if (body === undefined) {
        const needed = bodyParameter?.required === true || resolve(operation.requestBody).required === true;
        assert.ok(!needed, `${name} needs a body`);
        return;
      }
      assert.ok(bodySchema, `${name} takes no body`);
      check(`request of ${name}`, bodySchema, body);
    },
    checkResponse(status, body) {
      const response = resolve((operation.responses as Json)[String(status)]);
      const schema = response.schema ?? schemaOf(response);
      if (schema !== undefined && body !== undefined) check(`${status} of ${name}`, schema, body);
    },
  };
}

function schemaOf({ content }: Json): unknown {
  const [media] = Object.values((content ?? {}) as Record<string, Json>);
  return media?.schema;
}

function patternOf(template: string): RegExp {
  const parts = template.split(/\{[^}]+\}/).map((part) => part.replace(/[.*+?^$()|[\]\\]/g, '\\$&'));
  // A ref in a path may have slashes.
  const isRef = /\{ref\}$/.test(template);
  const joined = parts.join('[^/]+');
  return new RegExp(`^${isRef ? joined.replace(/\[\^\/\]\+$/, '.+') : joined}$`);
}

function find(document: Json, pointer: string): unknown {
  return pointer
    .replace(/^#\//, '')
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>((value, part) => (value as Json | undefined)?.[part], document);
}

/** The schema with all that it refers to, and nothing else of a document of many megabytes. */
function bundle(schema: unknown, lookup: (pointer: string) => unknown): Json {
  const root: Json = { allOf: [schema] };
  const seen = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { $ref: pointer } = value as Json;
    if (typeof pointer === 'string' && !seen.has(pointer)) {
      seen.add(pointer);
      const target = lookup(pointer);
      assert.ok(target, `${pointer} is not in the description`);
      place(root, pointer, target);
      visit(target);
    }
    for (const inner of Object.values(value)) visit(inner);
  };
  visit(schema);
  return root;
}

/** What OpenAPI 3.0 writes as `nullable`, where JSON Schema has no type to add null to. */
function withNull(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withNull);
  if (typeof value !== 'object' || value === null) return value;
  const { nullable, ...rest } = Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, withNull(inner)]),
  );
  if (nullable === true && rest.type === undefined) return { anyOf: [rest, { type: 'null' }] };
  return nullable === true ? { ...rest, nullable } : rest;
}

function place(root: Json, pointer: string, target: unknown): void {
  const parts = pointer.replace(/^#\//, '').split('/');
  const last = parts.pop() ?? '';
  let object = root;
  for (const part of parts) {
    object[part] ??= {};
    object = object[part] as Json;
  }
  object[last.replaceAll('~1', '/').replaceAll('~0', '~')] = target;
}
