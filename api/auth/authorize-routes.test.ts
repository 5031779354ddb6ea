import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import fastify from 'fastify';
import type { App } from '../http/app-type.ts';
import { openTestContext, type TestContext } from '../test-context.ts';
import type { authorization } from './authorization.ts';
import { authorizeRoutes } from './authorize-routes.ts';
import { authorizationPath, authorizationText } from './generate-authorization.ts';

let given: TestContext;
before(async () => {
  given = await openTestContext();
});
after(() => given.close());

const appWith = (table: typeof authorization) => {
  const app = fastify() as unknown as App;
  authorizeRoutes(app, given.context, table);
  return app;
};

test('a route that no rule is for keeps the API from starting', () => {
  const app = appWith({ Notes: { 'GET /v1/notes': { who: 'anyone' } } });
  app.get('/v1/notes', async () => ({}));
  assert.throws(() => app.get('/v1/forgotten', async () => ({})), /may call GET \/v1\/forgotten/);
  assert.throws(() => app.post('/v1/notes', async () => ({})), /may call POST \/v1\/notes/);
});

test('so does a rule that no route is for', async () => {
  const app = appWith({ Notes: { 'GET /v1/notes': { who: 'anyone' } } });
  await assert.rejects(async () => await app.ready(), /rules without a route: GET \/v1\/notes/);
});

test('a rule is for HEAD, too', async () => {
  const app = appWith({ Notes: { 'GET /v1/notes': { who: 'operators', scope: 'operator' } } });
  app.get('/v1/notes', async () => ({}));
  for (const method of ['GET', 'HEAD'] as const)
    assert.equal((await app.inject({ method, url: '/v1/notes' })).statusCode, 401, method);
});

test('docs/authorization.md says what the table says', async () => {
  assert.equal(
    await readFile(authorizationPath, 'utf8'),
    authorizationText(),
    'Run node api/auth/generate-authorization.ts.',
  );
});
