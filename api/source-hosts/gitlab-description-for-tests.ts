import { type ClientMethod, type Json, readClientTypes } from './client-types-for-tests.ts';
import { type ApiDescription, createApiDescription } from './openapi-for-tests.ts';

// All that Ebb asks GitLab, each with the class and method of gitbeaker for it; undefined where that has none.
const requests: Record<string, [string, string] | undefined> = {
  // Its methods for these are older than "self".
  'GET /personal_access_tokens/self': undefined,
  'DELETE /personal_access_tokens/self': undefined,
  'GET /projects/{id}': ['Projects', 'show'],
  'GET /projects/{id}/deploy_keys': ['DeployKeys', 'all'],
  'POST /projects/{id}/deploy_keys': ['DeployKeys', 'create'],
  'GET /projects/{id}/deploy_keys/{key_id}': ['DeployKeys', 'show'],
  'DELETE /projects/{id}/deploy_keys/{key_id}': ['DeployKeys', 'remove'],
  'GET /projects/{id}/hooks': ['ProjectHooks', 'all'],
  'POST /projects/{id}/hooks': ['ProjectHooks', 'add'],
  'GET /projects/{id}/hooks/{hook_id}': ['ProjectHooks', 'show'],
  'PUT /projects/{id}/hooks/{hook_id}': ['ProjectHooks', 'edit'],
  'DELETE /projects/{id}/hooks/{hook_id}': ['ProjectHooks', 'remove'],
  'GET /projects/{id}/repository/branches': ['Branches', 'all'],
  'GET /projects/{id}/repository/branches/{branch}': ['Branches', 'show'],
  'GET /projects/{id}/repository/tags/{tag_name}': ['Tags', 'show'],
  'GET /projects/{id}/repository/commits/{sha}': ['Commits', 'show'],
  'POST /projects/{id}/statuses/{sha}': ['Commits', 'editStatus'],
};

// Newer than gitbeaker, from GitLab's documentation alone: https://docs.gitlab.com/api/project_webhooks/
const newer: Record<string, Json> = {
  hooks: { signing_token: { type: 'string' }, branch_filter_strategy: { type: 'string' } },
};
// Parts of a path, which come first; "sudo" and such are of every method.
const ofPath = /^(projectId|resourceId|keyId|hookId|branchName|tagName|sha)$/;
const paging = ['page', 'per_page'];

export interface GitlabDescription {
  api: ApiDescription;
  /** An answer of this operation with each declared field, empty or zero but for those that are given. */
  fill(request: string, fields: Json): Json;
}

/** GitLab's API as gitbeaker declares it, a client that others keep; fields may have the declared types alone. */
export function describeGitlab(): GitlabDescription {
  const types = readClientTypes('@gitbeaker/core', toSnakeCase);
  const { schemas } = types.components;
  const paths: Record<string, Json> = {};
  const results: Record<string, Json> = {};
  for (const [request, method] of Object.entries(requests)) {
    const [verb = '', path = ''] = request.split(' ');
    const found = method && types.method(...method);
    const result = found?.result && withNewer(found.result, path, schemas);
    if (result) results[request] = result;
    const operation = found ? toOperation({ ...found, result }, path, schemas) : { responses: {} };
    paths[path] = { ...paths[path], [verb.toLowerCase()]: operation };
  }
  return {
    api: createApiDescription({ paths, components: types.components }),
    fill: (request, fields) => ({ ...(emptyOf(results[request] ?? {}, schemas) as Json), ...fields }),
  };
}

function toSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function objectsOf(schema: Json, schemas: Json): { properties: Json; required: string[] }[] {
  if (Array.isArray(schema.anyOf)) return schema.anyOf.flatMap((one) => objectsOf(one, schemas));
  if (schema.type === 'array') return objectsOf(schema.items as Json, schemas);
  const found = schemas[String(schema.$ref).split('/').at(-1) ?? ''] as
    | { properties: Json; required: string[] }
    | undefined;
  return found?.properties ? [found] : [];
}

function withNewer(result: Json, path: string, schemas: Json): Json {
  for (const { properties } of objectsOf(result, schemas)) {
    for (const [part, fields] of Object.entries(newer)) {
      if (path.includes(`/${part}`)) Object.assign(properties, fields);
    }
  }
  return result;
}

function toOperation({ parameters, result }: ClientMethod, path: string, schemas: Json): Json {
  const body: { properties: Json; required: string[] } = { properties: {}, required: [] };
  for (const { name, schema, required } of parameters.filter((one) => !ofPath.test(one.name))) {
    if (name === 'options' || name.startsWith('{')) {
      for (const { properties } of objectsOf(schema, schemas)) Object.assign(body.properties, properties);
    } else {
      body.properties[toSnakeCase(name)] = schema;
      if (required) body.required.push(toSnakeCase(name));
    }
  }
  for (const [part, fields] of Object.entries(newer)) {
    if (path.includes(`/${part}`)) Object.assign(body.properties, fields);
  }
  const schema = { type: 'object', ...body, additionalProperties: false };
  const answer = result ? { content: { 'application/json': { schema: result } } } : {};
  return {
    parameters: [...paging, ...Object.keys(body.properties)].map((name) => ({ in: 'query', name })),
    requestBody: { content: { 'application/json': { schema } } },
    responses: { 200: answer, 201: answer },
  };
}

/** The least that a schema takes. */
function emptyOf(schema: Json, schemas: Json): unknown {
  if ('const' in schema) return schema.const;
  if (Array.isArray(schema.anyOf)) return emptyOf(schema.anyOf[0] ?? {}, schemas);
  if (schema.type === 'array') return [];
  const [object] = objectsOf(schema, schemas);
  if (object) {
    const fields = object.required.map((name) => [name, emptyOf(object.properties[name] as Json, schemas)]);
    return Object.fromEntries(fields);
  }
  return { string: '', number: 0, boolean: false }[String(schema.type)] ?? null;
}
