import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { ApiError, ApiUnreachableError } from './api-error.ts';
import { startApi } from './api-for-tests.ts';
import { createClient } from './client.ts';

test('the API key is exchanged once and the token sent with every request', async (t) => {
  const { client, seen, forms } = await startApi(t, (_, response) => response.end('{}'));
  await client.request({ method: 'GET', path: '/v1/projects/a' });
  await client.request({ method: 'GET', path: '/v1/projects/b' });
  assert.deepEqual(forms, ['grant_type=client_credentials&client_id=api-key&client_secret=ebb_id_secret']);
  assert.deepEqual(
    seen.map(({ headers }) => headers.authorization),
    ['Bearer token 1', 'Bearer token 1'],
  );
});

test('a refused token is renewed and the request repeated, once', async (t) => {
  const { client, seen } = await startApi(t, (request, response) => {
    response.statusCode = request.headers.authorization === 'Bearer token 2' ? 200 : 401;
    response.end('{"code":"unauthorized"}');
  });
  assert.equal((await client.request({ method: 'GET', path: '/' })).status, 200);
  assert.equal(seen.length, 2);
  const hopeless = await startApi(t, (_, response) => {
    response.statusCode = 401;
    response.end('{"code":"unauthorized","detail":"The key is revoked."}');
  });
  await assert.rejects(hopeless.client.request({ method: 'GET', path: '/' }), /The key is revoked/);
  assert.equal(hopeless.seen.length, 2);
});

test('a creation whose first attempt is still at work is asked for again until it is answered', async (t) => {
  const { client, seen } = await startApi(t, (_, response, count) => {
    response.statusCode = count < 12 ? 409 : 201;
    response.setHeader('retry-after', '1');
    response.end(count < 12 ? '{"code":"request_in_progress"}' : '{}');
  });
  assert.equal((await client.request({ method: 'POST', path: '/v1/projects', body: '{}' })).status, 201);
  assert.equal(seen.length, 12);
  const other = await startApi(t, (_, response) => {
    response.statusCode = 409;
    response.end('{"code":"name_taken"}');
  });
  await assert.rejects(other.client.request({ method: 'POST', path: '/v1/projects', body: '{}' }), ApiError);
  assert.equal(other.seen.length, 1);
});

test('a creation is repeated with the same idempotency key', async (t) => {
  const { client, seen } = await startApi(t, (request, response, count) => {
    if (count === 1) return request.socket.destroy();
    response.statusCode = count === 2 ? 503 : 201;
    response.end('{}');
  });
  const answer = await client.request({ method: 'POST', path: '/v1/projects', body: '{"name":"shop"}' });
  assert.equal(answer.status, 201);
  const keys = seen.map(({ headers }) => headers['idempotency-key']);
  assert.equal(keys.length, 3);
  assert.equal(new Set(keys).size, 1);
  assert.match(String(keys[0]), /^[0-9a-f-]{36}$/);
  assert.deepEqual(new Set(seen.map(({ body }) => body)), new Set(['{"name":"shop"}']));
});

test('two creations have different idempotency keys', async (t) => {
  const { client, seen } = await startApi(t, (_, response) => response.end('{}'));
  await client.request({ method: 'POST', path: '/', body: '{}' });
  await client.request({ method: 'POST', path: '/', body: '{}' });
  assert.notEqual(seen[0]?.headers['idempotency-key'], seen[1]?.headers['idempotency-key']);
});

test('a problem that does not pass is thrown at once with its document', async (t) => {
  const { client, seen } = await startApi(t, (_, response) => {
    response.statusCode = 422;
    const errors = [{ pointer: '#/name', detail: 'Too long.' }];
    response.end(JSON.stringify({ code: 'validation_failed', detail: 'The name is wrong.', errors }));
  });
  await assert.rejects(client.request({ method: 'POST', path: '/', body: '{}' }), (error) => {
    assert.ok(error instanceof ApiError);
    assert.equal(error.status, 422);
    assert.deepEqual(error.problem.errors, [{ pointer: '#/name', detail: 'Too long.' }]);
    return true;
  });
  assert.equal(seen.length, 1);
});

test('a server that never answers well is given up', async (t) => {
  const { client, seen } = await startApi(t, (_, response) => {
    response.statusCode = 503;
    response.end('<html>');
  });
  await assert.rejects(client.request({ method: 'GET', path: '/' }), /status 503/);
  assert.equal(seen.length, 7);
});

test('a source host that does not answer Ebb is told after one more try', async (t) => {
  const { client, seen } = await startApi(t, (_, response) => {
    response.statusCode = 503;
    response.setHeader('retry-after', '0');
    response.end(JSON.stringify({ code: 'source_host_unreachable', detail: 'GitHub does not answer.' }));
  });
  const creation = client.request({ method: 'POST', path: '/v1/connections', body: '{}' });
  await assert.rejects(creation, { message: 'GitHub does not answer.' });
  assert.equal(seen.length, 2);
});

test('the token is not carried to where a redirect points', async (t) => {
  const { client } = await startApi(t, (_, response) => {
    response.writeHead(302, { location: 'http://127.0.0.1:1/elsewhere' });
    response.end();
  });
  await assert.rejects(client.request({ method: 'GET', path: '/' }), ApiUnreachableError);
});

test('an abort ends reading at once', async (t) => {
  const { client, controller } = await startApi(t, () => controller.abort(new Error('stopped')));
  await assert.rejects(client.request({ method: 'GET', path: '/' }), /stopped/);
});

test('an abort lets a change that was sent tell its result', async (t) => {
  const { client, controller } = await startApi(t, (_, response) => {
    controller.abort(new Error('stopped'));
    setImmediate(() => response.end('{"id":"prj_1"}'));
  });
  const answer = await client.request({ method: 'POST', path: '/', body: '{}' });
  assert.equal(answer.text, '{"id":"prj_1"}');
  await assert.rejects(client.request({ method: 'POST', path: '/', body: '{}' }), /stopped/);
});

test('what a person has to mend at the source host is told at once, and not tried again', async (t) => {
  const { client, seen } = await startApi(t, (_, response) => {
    response.statusCode = 503;
    response.setHeader('retry-after', '60');
    response.end(JSON.stringify({ code: 'source_host_refused', detail: 'Remove the deploy key by hand.' }));
  });
  await assert.rejects(client.request({ method: 'DELETE', path: '/v1/projects/a' }), {
    message: 'Remove the deploy key by hand.',
  });
  assert.equal(seen.length, 1);
});

test('each attempt is logged, without token or body', async (t) => {
  const { client, logged } = await startApi(t, (_, response, count) => {
    response.statusCode = count === 1 ? 503 : 200;
    response.end(JSON.stringify({ title: 'Not now', status: response.statusCode }));
  });
  await client.request({ method: 'POST', path: '/v1/secrets', body: '{"value":"hidden"}' });
  assert.equal(logged.length, 2);
  assert.partialDeepStrictEqual(logged[1], { method: 'POST', path: '/v1/secrets', status: 200 });
  assert.doesNotMatch(JSON.stringify(logged), /hidden|token 1/);
});

test('an abort ends signing in at once: there is no result to wait for', async (t) => {
  const signal = new AbortController();
  const server = createServer(() => signal.abort(new Error('stopped')));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = createClient({ endpoint, apiKey: 'ebb_key', userAgent: 'test', signal: signal.signal });
  t.mock.timers.enable({ apis: ['setTimeout'] });
  await assert.rejects(client.signIn(), /stopped/);
});

test('a request that may take no longer ends at once, also one that changes something', async (t) => {
  const limit = new AbortController();
  const { client } = await startApi(t, () => limit.abort(new Error('too long')));
  const creation = { method: 'POST', path: '/', body: '{}', signal: limit.signal } as const;
  await client.signIn();
  t.mock.timers.enable({ apis: ['setTimeout'] });
  await assert.rejects(client.request(creation), /too long/);
});
