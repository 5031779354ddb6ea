import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { rules } from '../../api/auth/authorization.ts';
import type { Route, Rule } from '../../api/auth/rule.ts';
import { openapiPath } from '../../api/http/generate-openapi.ts';
import { dump } from '../../api/revocation/test-setting.ts';
import { created } from '../../api/test-client.ts';
import { openTestContext, type TestContext } from '../../api/test-context.ts';
import { openAttack } from './every-route.ts';

/* Members that nobody asked for: to take another's team, another role, or to change what all objects inherit. */

let given: TestContext;
let attack: Awaited<ReturnType<typeof openAttack>>;
before(async () => {
  given = await openTestContext();
  attack = await openAttack(given);
});
after(() => given.close());

const mark = '0000000000000000000000mark';
const more = {
  ...{ id: `prj_${mark}`, team: `team_${mark}`, team_id: `team_${mark}`, owner: `per_${mark}` },
  ...{ role_of_all: 'owner', operator: true, is_admin: true, scopes_of_all: ['operator', mark] },
  ...{ created_at: '1999-12-31T00:00:00Z', created_by: mark, revoked_at: null, revoking_at: null },
  ...{ secret_hash: mark, wrapped_private_key_of: mark, state: mark, version: 999, status_version: 999 },
};
const objectOf = (payload: unknown) => (typeof payload === 'object' ? (payload as object) : {});
const withBody = (): [Route, Rule][] =>
  rules.filter(([route]) => attack.requestOf(route).payload !== undefined);

test('every body says which members it has, and no other is taken', async () => {
  // A map of the team's own words, or evidence that is kept as it was told; and OAuth says to ignore what is not known.
  const open = [
    'POST /v1/builds/{id}/milestones /report/image',
    'POST /v1/builds/{id}/milestones /report/template',
    'POST /v1/builds/{id}/milestones /report/runner',
    'POST /v1/builds/{id}/milestones /exit',
    'POST /v1/key-rotations/{id}/result /deploy_key',
    'POST /v1/key-rotations/{id}/result /secrets',
    'POST /v1/token ',
    'POST /v1/token/introspect ',
    'POST /v1/token/renew ',
    'POST /v1/token/revoke ',
  ];
  const document = JSON.parse(await readFile(openapiPath, 'utf8'));
  assert.deepEqual(openBodies(document).sort(), open.sort());
});

test('a member that a body does not have is refused by name, on every route, and nothing comes of it', async () => {
  const refused = withBody().filter(
    ([route, { who }]) => who !== 'source host' && route !== 'POST /v1/token/introspect',
  );
  assert.ok(refused.length > 30);
  for (const [route, rule] of refused) {
    const request = attack.requestOf(route);
    const declared = objectOf(request.payload);
    const extra = Object.fromEntries(Object.entries(more).filter(([name]) => !(name in declared)));
    const answer = await attack.ask(rule, { ...request, payload: { ...declared, ...extra } });
    assert.equal(answer.status, 422, `${route}: ${answer.text}`);
    const named = answer.body.errors.map(({ pointer }: { pointer: string }) => pointer.slice(2));
    // What a route has under this name, it judges by itself.
    for (const name of ['owner', 'operator', 'secret_hash', 'status_version'])
      assert.ok(named.includes(name), `${route} does not name ${name}: ${answer.text}`);
  }
  assert.ok(!(await dump(given.context)).includes(mark));
});

test('what a token request says beyond OAuth changes nothing of the token, nor of what is told of one', async () => {
  const form = { grant_type: 'client_credentials', client_secret: given.keys.admin, scope: 'builds:read' };
  const extra = { team: `team_${mark}`, sub: mark, scopes: 'operator', role: 'owner', is_admin: 'true' };
  const { body } = await attack.ask(
    { who: 'holder' },
    {
      method: 'POST' as 'GET',
      url: '/v1/token',
      payload: String(new URLSearchParams({ ...form, ...extra })),
    },
    { 'content-type': 'application/x-www-form-urlencoded' },
  );
  const claims = JSON.parse(Buffer.from(body.access_token.split('.')[1], 'base64url').toString());
  assert.equal(claims.scope, 'builds:read');
  assert.ok(!JSON.stringify(claims).includes(mark));
  const token = { token: body.access_token };
  const told = async (more: object) =>
    await attack.team.owner.call('POST', '/v1/token/introspect', { ...token, ...more });
  const plain = await told({});
  assert.deepEqual((await told({ ...extra, active: 'false' })).body, plain.body);
});

const polluters = [
  '{"__proto__":{"polluted":true}}',
  '{"a":{"__proto__":{"polluted":true}}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  '{"a":[{"constructor":{"prototype":{"polluted":true}}}]}',
  '{"\\u005f_proto__":{"polluted":true}}',
];
const inherited = Reflect.ownKeys(Object.prototype);
const nothingInherited = () => {
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  assert.deepEqual(Reflect.ownKeys(Object.prototype), inherited);
};

test('no body, query or form reaches the prototype of objects, on any route', async () => {
  for (const [route, rule] of rules) {
    const { method, url } = attack.requestOf(route);
    if (method !== 'GET')
      for (const type of ['application/json', 'application/merge-patch+json'])
        for (const payload of polluters) {
          const answer = await attack.ask(rule, { method, url, payload }, { 'content-type': type });
          assert.ok(answer.status >= 400 && answer.status < 500, `${route} ${payload}: ${answer.text}`);
        }
    const query = '__proto__[polluted]=1&__proto__.polluted=1&constructor[prototype][polluted]=1&__proto__=1';
    // Streams go on for as long as the build does.
    const isAnswered = method === 'GET' && !route.endsWith('/events');
    const asked = isAnswered ? await attack.ask(rule, { method, url: `${url}?${query}` }) : undefined;
    assert.ok(asked === undefined || asked.status < 500, `${route}: ${asked?.text}`);
    nothingInherited();
  }
  for (const url of ['/v1/token', '/v1/token/renew', '/v1/token/revoke']) {
    const payload = '__proto__=x&__proto__[polluted]=1&constructor.prototype.polluted=1&toString=x';
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await attack.ask({ who: 'holder' }, { method: 'POST' as 'GET', url, payload }, type);
    assert.ok(answer.status < 500, answer.text);
  }
  nothingInherited();
});

test('names that all objects inherit are names like others', async () => {
  const { owner, things } = attack.team;
  const odd = { constructor: 'a', toString: 'b', hasOwnProperty: 'c', valueOf: 'd', isPrototypeOf: 'e' };
  const change = { environment: odd, default_branch: '__proto__' };
  const { status, body, text } = await owner.call('PATCH', `/v1/projects/${things.project}`, change);
  assert.equal(status, 200, text);
  assert.deepEqual([body.environment, body.default_branch], [odd, '__proto__']);
  const key = await owner.call('PATCH', `/v1/deploy-keys/${things.deployKey}`, { rotate_when: odd });
  assert.deepEqual([key.status, key.body.rotate_when], [200, odd], key.text);
  const trust = await owner.call('PATCH', `/v1/workload-identities/${things.workload}`, { claims: odd });
  assert.deepEqual([trust.status, trust.body.claims], [200, odd], trust.text);
  const named = await created<{ id: string; name: string }>(owner, '/v1/connections', {
    ...{ name: 'constructor', kind: 'local' },
  });
  const found = await owner.call('GET', '/v1/connections?natural_id=crew/constructor');
  assert.deepEqual(
    found.body.items.map(({ id }: { id: string }) => id),
    [named.id],
  );
  for (const name of ['constructor', 'toString', '__proto__']) {
    const patched = await owner.call('PATCH', `/v1/projects/${things.project}`, { [name]: 'x' });
    assert.ok(patched.status === 422 || patched.status === 400 || name === '__proto__', patched.text);
  }
  nothingInherited();
});

interface Schema {
  type?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: unknown;
  items?: Schema;
  anyOf?: Schema[];
}

/** Where a body, or an object in it, has members and takes others besides. */
function openBodies(description: { paths: Record<string, Record<string, unknown>> }): string[] {
  const found: string[] = [];
  for (const [path, methods] of Object.entries(description.paths))
    for (const [method, operation] of Object.entries(methods)) {
      const { requestBody } = operation as { requestBody?: { content: Record<string, { schema: Schema }> } };
      for (const { schema } of Object.values(requestBody?.content ?? {}))
        for (const place of openObjects(schema, '')) found.push(`${method.toUpperCase()} ${path} ${place}`);
    }
  return [...new Set(found)];
}

function openObjects(schema: Schema, place: string): string[] {
  const { properties, additionalProperties, items, anyOf = [] } = schema;
  const inner = Object.entries(properties ?? {}).flatMap(([name, member]) =>
    openObjects(member, `${place}/${name}`),
  );
  const own = properties && additionalProperties !== false ? [place] : [];
  const others = [...anyOf, ...(items ? [items] : [])].flatMap((other) => openObjects(other, place));
  return [...own, ...inner, ...others];
}
