import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { InjectOptions } from 'fastify';
import { type Scope, scopes } from '../contract/token.ts';
import { createApiKey } from './auth/api-key.ts';
import { newId } from './db/new-id.ts';
import { operators } from './teams/operators.ts';
import type { TestContext } from './test-context.ts';

const run = promisify(execFile);

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT';

/** Sends one request to the app of a test. */
export async function send({ app }: TestContext, options: InjectOptions) {
  const answer = await app.inject(options);
  const type = String(answer.headers['content-type'] ?? '');
  return {
    status: answer.statusCode,
    headers: answer.headers,
    text: answer.body,
    body: /[/+]json/.test(type) && answer.body !== '' ? answer.json() : undefined,
  };
}

/** Asks the token endpoint, form-encoded. */
export async function requestToken(test: TestContext, form: Record<string, string>) {
  const payload = new URLSearchParams({ grant_type: 'client_credentials', ...form }).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return await send(test, { method: 'POST', url: '/v1/token', headers, payload });
}

/** A client with a token for an API key, narrower when `narrow` says so. */
/** @param remoteAddress where the requests come from, for what is limited by that */
export async function signIn(
  test: TestContext,
  apiKey: string,
  narrow: Record<string, string> = {},
  remoteAddress?: string,
) {
  const { status, body, text } = await requestToken(test, { client_secret: apiKey, ...narrow });
  if (status !== 200) throw new Error(`No token: ${text}`);
  const token: string = body.access_token;
  const call = (method: Method, url: string, payload?: object, headers: Record<string, string> = {}) =>
    send(test, {
      method,
      url,
      headers: { authorization: `Bearer ${token}`, ...headers },
      ...(payload ? { payload } : {}),
      ...(remoteAddress ? { remoteAddress } : {}),
    });
  return { token, call };
}

export type Client = Awaited<ReturnType<typeof signIn>>;

/** Another team with an API key of its own. */
export async function addTeam({ context }: TestContext, name: string, granted: readonly Scope[] = scopes) {
  const now = context.now();
  const teamId = newId('team');
  await context.database.insertInto('team').values({ id: teamId, name, created_at: now }).execute();
  return await createApiKey(context.database, { teamId, name, scopes: [...granted], now });
}

/** An API key of whoever operates Ebb. */
export async function addOperator({ context }: TestContext, granted: readonly Scope[]) {
  const { id: teamId } = await context.database
    .selectFrom('team')
    .select('id')
    .where('name', '=', operators)
    .executeTakeFirstOrThrow();
  const key = { teamId, name: 'Grace of the crew', scopes: [...granted], now: context.now() };
  return await createApiKey(context.database, key);
}

/** A commit without files at the head of a branch of a repository; gives its id. */
export async function commit(repository: string, branch = 'main', message = 'A commit'): Promise<string> {
  const person = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com'];
  const git = async (...words: string[]) =>
    (await run('git', ['-C', repository, ...person, ...words])).stdout.trim();
  // git knows the empty tree without its being stored.
  const id = await git('commit-tree', '4b825dc642cb6eb9a060e54bf8d69288fbee4904', '-m', message);
  await git('update-ref', `refs/heads/${branch}`, id);
  return id;
}

let count = 0;

/** Declares a connection and a project of a repository of its own that has one commit. */
export async function declareProject(test: TestContext, client: Client, more: object = {}) {
  const name = `project-${++count}x`;
  const folder = await test.createRepository(name);
  const head = await commit(folder);
  const connection = await created(client, '/v1/connections', { name: `${name}-host`, kind: 'local' });
  const declared = { connection_id: connection.id, name, repository: name, ...more };
  const project = await created(client, '/v1/projects', declared);
  return { id: project.id, connectionId: connection.id, name, folder, head };
}

/** The same with its deploy key, so that it can be built. */
export async function declareBuildableProject(test: TestContext, client: Client, more: object = {}) {
  const project = await declareProject(test, client, more);
  await created(client, '/v1/deploy-keys', { project_id: project.id });
  return project;
}

/** Creates a resource; throws what the API says when it does not. */
export async function created<T = { id: string }>(client: Client, path: string, body: object): Promise<T> {
  const answer = await client.call('POST', path, body);
  if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.text}`);
  return answer.body;
}
