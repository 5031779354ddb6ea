import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, test } from 'node:test';
import { CustodyError } from '../../contract/custody/custody-error.ts';
import { describeApi } from '../../test/describe-api.ts';
import { dump } from '../revocation/test-setting.ts';
import { type Client, created, declareProject, send, signIn } from '../test-client.ts';
import { openapiPath, openapiText } from './generate-openapi.ts';

describeApi('HTTP', (given) => {
  let admin: Client;
  before(async () => {
    admin = await signIn(given(), given().keys.admin);
  });

  test('every problem with a body is named at once, each with its field and the fix', async () => {
    const { status, headers, body } = await admin.call('POST', '/v1/projects', {
      name: 'Shop',
      repository: 'shop',
      timeout_minutes: 0,
      concurency: 2,
    });
    assert.equal(status, 422);
    assert.equal(headers['content-type'], 'application/problem+json');
    assert.deepEqual(
      [body.type, body.status, body.code],
      ['urn:ebb:problem:validation_failed', 422, 'validation_failed'],
    );
    assert.equal(body.request_id, headers['x-request-id']);
    const errors = new Map(
      body.errors.map((each: { pointer: string; detail: string }) => [each.pointer, each.detail]),
    );
    assert.deepEqual([...errors.keys()].sort(), [
      '#/concurency',
      '#/connection_id',
      '#/name',
      '#/timeout_minutes',
    ]);
    assert.equal(errors.get('#/connection_id'), 'connection_id is missing. Add it.');
    assert.match(String(errors.get('#/concurency')), /check its spelling/);
    assert.match(String(errors.get('#/timeout_minutes')), />= 1/);
  });

  test('what is no JSON, too large, of another type or not there is told apart', async () => {
    const headers = { authorization: `Bearer ${admin.token}`, 'content-type': 'application/json' };
    const post = (payload: string, more = {}) =>
      send(given(), { method: 'POST', url: '/v1/projects', headers: { ...headers, ...more }, payload });
    const answers = [
      [await post('{"name":'), 400, 'invalid_json'],
      [await post('{"__proto__":{"admin":true}}'), 400, 'invalid_json'],
      [await post(''), 400, 'empty_body'],
      [await post(JSON.stringify({ name: 'x'.repeat(1024 * 1024) })), 413, 'body_too_large'],
      [await post('name=shop', { 'content-type': 'text/plain' }), 415, 'unsupported_media_type'],
      [await admin.call('GET', '/v1/nothing'), 404, 'not_found'],
      [await admin.call('GET', '/v1/projects/prj_none'), 404, 'not_found'],
    ] as const;
    for (const [answer, status, code] of answers)
      assert.deepEqual([answer.status, answer.body.code], [status, code]);
  });

  test('a method that a path does not have is answered with those it has', async () => {
    const { status, headers, body } = await admin.call('PUT', '/v1/projects/prj_1', {});
    assert.equal(status, 405);
    assert.equal(headers.allow, 'DELETE, GET, HEAD, PATCH');
    assert.equal(body.code, 'method_not_allowed');
  });

  test('text that the database cannot keep is refused at its field', async () => {
    const { id } = await declareProject(given(), admin);
    const nul = await admin.call('PATCH', `/v1/projects/${id}`, { environment: { A: 'a\0b' } });
    assert.deepEqual([nul.status, nul.body.errors[0].pointer], [422, '#/environment/A']);
    const half = await admin.call('PATCH', `/v1/projects/${id}`, { test: ['echo \ud800'] });
    assert.deepEqual([half.status, half.body.errors[0].pointer], [422, '#/test/0']);
    assert.equal((await admin.call('GET', '/v1/projects/%00')).status, 400);
  });

  test('names of environment variables that Ebb or the shell sets are refused', async () => {
    const { id } = await declareProject(given(), admin);
    for (const name of ['PATH', 'LD_PRELOAD', 'EBB_BUILD', '1A', 'A-B']) {
      const { status, body } = await admin.call('PATCH', `/v1/projects/${id}`, {
        environment: { [name]: 'x' },
      });
      assert.equal(status, 422, name);
      assert.match(body.errors[0].pointer, /^#\/environment/);
    }
  });

  test('a creation with an Idempotency-Key happens once and is answered the same each time', async () => {
    const ids = { 'idempotency-key': 'create-1' };
    const body = { name: 'once-host', kind: 'local' };
    const first = await admin.call('POST', '/v1/connections', body, ids);
    const second = await admin.call('POST', '/v1/connections', body, ids);
    assert.deepEqual([first.status, second.status], [201, 201]);
    assert.deepEqual(second.body, first.body);
    assert.equal(second.headers.location, `/v1/connections/${first.body.id}`);
    assert.equal(second.headers.etag, first.headers.etag);
    const other = await admin.call('POST', '/v1/connections', { ...body, name: 'other' }, ids);
    assert.deepEqual([other.status, other.body.code], [422, 'idempotency_key_reused']);
    const without = await admin.call('POST', '/v1/connections', body);
    assert.deepEqual([without.status, without.body.code], [409, 'name_taken']);
  });

  test('of many equal creations at once one happens; the others get its answer or are told to wait', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        admin.call(
          'POST',
          '/v1/connections',
          { name: 'burst-host', kind: 'local' },
          { 'idempotency-key': 'burst' },
        ),
      ),
    );
    const made = answers.filter(({ status }) => status === 201);
    assert.ok(made.length >= 1);
    assert.equal(new Set(made.map(({ body }) => body.id)).size, 1);
    for (const { status, body } of answers) assert.ok(status === 201 || body.code === 'request_in_progress');
  });

  test('a creation that failed may be repeated with the same key', async () => {
    const ids = { 'idempotency-key': 'mended' };
    const { name, connectionId } = await declareProject(given(), admin);
    const body = { connection_id: connectionId, name: 'mended', repository: 'not-there-yet' };
    assert.equal((await admin.call('POST', '/v1/projects', body, ids)).status, 422);
    const again = await admin.call('POST', '/v1/projects', { ...body, repository: name }, ids);
    assert.equal(again.status, 201);
  });

  test('a body that is no object, and a branch that git would refuse, are told with what to do', async () => {
    const list = await admin.call('POST', '/v1/projects', []);
    assert.match(list.body.errors[0].detail, /The body must be a JSON object.*Send one/);
    const { connectionId, name } = await declareProject(given(), admin);
    const body = { connection_id: connectionId, name: 'odd', repository: name, default_branch: 'a b..' };
    const odd = await admin.call('POST', '/v1/projects', body);
    assert.deepEqual([odd.status, odd.body.errors[0].pointer], [422, '#/default_branch']);
    assert.match(odd.body.errors[0].detail, /As git allows/);
  });

  test('an image that the memory cannot hold is refused, when it is declared and when it is changed', async () => {
    const { id, name, connectionId } = await declareProject(given(), admin);
    const body = { connection_id: connectionId, name: 'large', repository: name, image: 'node' };
    const small = await admin.call('POST', '/v1/projects', body);
    assert.deepEqual([small.status, small.body.errors[0].pointer], [422, '#/memory_mib']);
    assert.match(small.body.errors[0].detail, /1024, but the image node needs 1536/);
    assert.equal((await admin.call('POST', '/v1/projects', { ...body, memory_mib: 1536 })).status, 201);
    assert.equal((await admin.call('PATCH', `/v1/projects/${id}`, { image: 'node' })).status, 422);
  });

  test('a change of a secret says which value it replaces, though the value is not shown', async () => {
    const { id } = await declareProject(given(), admin);
    const made = await admin.call('POST', '/v1/secrets', { project_id: id, name: 'TOKEN', value: 'one' });
    const url = `/v1/secrets/${made.body.id}`;
    const read = await admin.call('GET', url);
    assert.equal(read.headers.etag, made.headers.etag);
    const match = { 'if-match': String(read.headers.etag) };
    const changed = await admin.call('PATCH', url, { value: 'two' }, match);
    assert.equal(changed.status, 200);
    assert.notEqual(changed.headers.etag, read.headers.etag);
    assert.equal((await admin.call('PATCH', url, { value: 'three' }, match)).status, 412);
    assert.equal((await admin.call('GET', url)).headers.etag, changed.headers.etag);
  });

  test('the value of a secret is in no row, and its repeated creation is known without it', async () => {
    const { id } = await declareProject(given(), admin);
    const body = { project_id: id, name: 'TOKEN', value: 'canary-2718281828' };
    const ids = { 'idempotency-key': 'secret-1' };
    const first = await admin.call('POST', '/v1/secrets', body, ids);
    assert.equal(first.status, 201);
    assert.equal((await admin.call('POST', '/v1/secrets', body, ids)).body.id, first.body.id);
    const everything = await dump(given().context);
    for (const encoding of ['utf8', 'base64', 'hex'] as const) {
      const shown = Buffer.from(body.value).toString(encoding).replace(/=+$/, '');
      assert.ok(!everything.includes(shown), encoding);
      assert.ok(!given().logged().includes(shown), encoding);
    }
    assert.ok(!first.text.includes(body.value));
  });

  test('a change can ask that nobody else changed the thing since', async () => {
    const { id } = await declareProject(given(), admin);
    const url = `/v1/projects/${id}`;
    const read = await admin.call('GET', url);
    const match = { 'if-match': String(read.headers.etag) };
    const changed = await admin.call(
      'PATCH',
      url,
      { timeout_minutes: 7, deploy: [{ commands: ['x'], branch: 'main' }] },
      match,
    );
    assert.equal(changed.status, 200);
    assert.equal((await admin.call('GET', url)).headers.etag, changed.headers.etag);
    const stale = await admin.call('PATCH', url, { timeout_minutes: 8 }, match);
    assert.deepEqual([stale.status, stale.body.code], [412, 'changed_meanwhile']);
    assert.equal((await admin.call('GET', url)).body.timeout_minutes, 7);
    const reset = await admin.call('PATCH', url, { timeout_minutes: null });
    assert.equal(reset.body.timeout_minutes, 60);
  });

  test('pages show everything once, also while things are added', async () => {
    const names = Array.from({ length: 5 }, (_, index) => `paged-${index}x`);
    for (const name of names) await created(admin, '/v1/connections', { name, kind: 'local' });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const { body } = await admin.call('GET', `/v1/connections?limit=2${cursor ? `&cursor=${cursor}` : ''}`);
      assert.ok(body.items.length <= 2);
      seen.push(...body.items.map((item: { name: string }) => item.name));
      cursor = body.next_cursor;
    } while (cursor !== null);
    assert.equal(new Set(seen).size, seen.length);
    for (const name of names) assert.ok(seen.includes(name));
    for (const query of ['limit=0', 'limit=201', 'limit=x', 'cursor=nonsense', 'color=red']) {
      assert.equal((await admin.call('GET', `/v1/connections?${query}`)).status, 400, query);
    }
  });

  test('an import id finds the one thing that it names', async () => {
    const { id, name } = await declareProject(given(), admin);
    const { body } = await admin.call('GET', `/v1/projects?natural_id=acme/${name}`);
    assert.deepEqual(
      body.items.map((item: { id: string }) => item.id),
      [id],
    );
    assert.deepEqual((await admin.call('GET', `/v1/projects?natural_id=others/${name}`)).body.items, []);
    assert.equal((await admin.call('GET', `/v1/projects?natural_id=${name}`)).status, 400);
  });

  test('the OpenAPI document names every route that the API answers', async () => {
    const { body } = await send(given(), { method: 'GET', url: '/v1/openapi.json' });
    assert.equal(body.openapi, '3.1.0');
    const documented = Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const answered = routesOf(given().app.printRoutes({ commonPrefix: false })).filter(
      (route) => route.includes(' /v1/') && !/^HEAD |openapi/.test(route),
    );
    assert.ok(answered.length > 30);
    assert.deepEqual(
      documented.filter((route) => route.includes(' /v1/')).sort(),
      answered.map((route) => route.replace(/:(\w+)/g, '{$1}')).sort(),
    );
  });

  test('the OpenAPI document in the repository is the one that is served', async () => {
    const { body } = await send(given(), { method: 'GET', url: '/v1/openapi.json' });
    const current = (await readFile(openapiPath, 'utf8')) === openapiText(body);
    assert.ok(current, 'docs/openapi.json is not current; run: node api/http/generate-openapi.ts');
  });

  test('while the key service is away no project is made, and the answer says when to try again', async (t) => {
    const { context } = given();
    const { createProjectKey } = context.custody;
    t.after(() => Object.assign(context.custody, { createProjectKey }));
    Object.assign(context.custody, {
      createProjectKey: async () => {
        throw new CustodyError('unavailable', 'AWS KMS did not wrap the key of prj_1.');
      },
    });
    await assert.rejects(declareProject(given(), admin), /key_service_unavailable.*nothing was made/);
  });

  test('the reference page is shown to people', async () => {
    const page = await send(given(), { method: 'GET', url: '/docs/' });
    assert.equal(page.status, 200);
    assert.match(String(page.headers['content-type']), /text\/html/);
  });

  test('health says that the process runs, readiness that database and queue answer', async () => {
    assert.deepEqual((await send(given(), { method: 'GET', url: '/v1/health' })).body, { status: 'ok' });
    const ready = await send(given(), { method: 'GET', url: '/v1/ready' });
    assert.deepEqual([ready.status, ready.body], [200, { database: true, queue: true }]);
  });

  test('what is nested deeply or has very many members is refused before it is judged, and told in few words', async () => {
    const deep = `{"name":${'['.repeat(12_000)}${']'.repeat(12_000)}}`;
    const wide = JSON.stringify({ name: 'x', scopes: Array.from({ length: 50_000 }, (_, index) => index) });
    const unknown = JSON.stringify(
      Object.fromEntries(Array.from({ length: 900 }, (_, index) => [`a${index}`, 1])),
    );
    for (const [payload, expected] of [
      [deep, /is nested more than 32 levels deep/],
      [wide, /^scopes has more than 1000 members/],
      [unknown, /is not known here/],
    ] as const) {
      const headers = { authorization: `Bearer ${admin.token}`, 'content-type': 'application/json' };
      const answer = await send(given(), { method: 'POST', url: '/v1/api-keys', payload, headers });
      assert.equal(answer.status, 422);
      assert.match(answer.body.detail, expected);
      assert.ok(answer.text.length < 20_000, `${answer.text.length} bytes`);
    }
  });

  test('answers keep browsers and caches from doing harm', async () => {
    const { headers } = await admin.call('GET', '/v1/projects', undefined, { 'x-request-id': 'mine' });
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['content-security-policy'], "default-src 'none';frame-ancestors 'none'");
    assert.equal(headers['x-frame-options'], 'DENY');
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
    assert.equal(headers['referrer-policy'], 'no-referrer');
    assert.equal(headers['access-control-allow-origin'], undefined);
    assert.match(String(headers['x-request-id']), /^[0-9a-f-]{36}$/);
  });
});

/** `METHOD path` of each route in the tree that Fastify prints. */
function routesOf(tree: string): string[] {
  const above: string[] = [];
  return tree.split('\n').flatMap((line) => {
    const [, branches = '', part = '', methods = ''] = /^([│├└─ ]*)(\S+) \(([^)]*)\)$/.exec(line) ?? [];
    const depth = branches.length / 4 - 1;
    if (part === '') return [];
    above.splice(depth, above.length, part);
    return methods.split(', ').map((method) => `${method} ${above.join('')}`);
  });
}
