import { type ClientMethod, type Json, readClientTypes } from './client-types-for-tests.ts';
import { type ApiDescription, createApiDescription } from './openapi-for-tests.ts';

// All that Ebb asks Gitea.
const requests = [
  'GET /repos/search',
  'GET /repos/{owner}/{repo}',
  'GET /repos/{owner}/{repo}/keys',
  'POST /repos/{owner}/{repo}/keys',
  'GET /repos/{owner}/{repo}/keys/{id}',
  'DELETE /repos/{owner}/{repo}/keys/{id}',
  'GET /repos/{owner}/{repo}/hooks',
  'POST /repos/{owner}/{repo}/hooks',
  'GET /repos/{owner}/{repo}/hooks/{id}',
  'PATCH /repos/{owner}/{repo}/hooks/{id}',
  'DELETE /repos/{owner}/{repo}/hooks/{id}',
  'GET /repos/{owner}/{repo}/git/refs/{ref}',
  'GET /repos/{owner}/{repo}/git/commits/{sha}',
  'GET /repos/{owner}/{repo}/branches',
  'POST /repos/{owner}/{repo}/statuses/{sha}',
];

/** Gitea's API as gitea-js declares it, which is generated from the description that Gitea publishes. */
export function describeGitea(): ApiDescription {
  const types = readClientTypes('gitea-js');
  const paths: Record<string, Json> = {};
  for (const request of requests) {
    const [method = '', path = ''] = request.split(' ');
    const found = types.byRequest(`${method}:${path}`);
    if (!found) throw new Error(`gitea-js has no ${request}`);
    paths[path] = { ...paths[path], [method.toLowerCase()]: toOperation(found, types.components.schemas) };
  }
  return createApiDescription({ paths, components: types.components });
}

function toOperation({ parameters, result }: ClientMethod, schemas: Json): Json {
  const body = parameters.find(({ name }) => name === 'body' || name === 'data');
  const query = parameters.find(({ name }) => name === 'query');
  const json = (schema: Json) => ({ content: { 'application/json': { schema } } });
  const answer = result ? json(result) : {};
  return {
    parameters: query ? fieldsOf(query.schema, schemas).map((name) => ({ in: 'query', name })) : [],
    ...(body ? { requestBody: { required: body.required, ...json(body.schema) } } : {}),
    responses: { 200: answer, 201: answer },
  };
}

function fieldsOf(schema: Json, schemas: Json): string[] {
  const kinds = (schema.anyOf as Json[] | undefined) ?? [schema];
  return kinds.flatMap(({ $ref }) => {
    const found = schemas[String($ref).split('/').at(-1) ?? ''] as { properties?: Json } | undefined;
    return Object.keys(found?.properties ?? {});
  });
}
