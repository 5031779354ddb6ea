import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { teamScopes } from '../../contract/token.ts';
import { buildApp } from '../app.ts';
import { json as jsonb } from '../db/database.ts';
import type { App } from '../http/app-type.ts';
import { browserOf } from '../people/browser-for-tests.ts';
import { addOperator, signIn } from '../test-client.ts';
import { openTestContext, type TestContext } from '../test-context.ts';
import { rules } from './authorization.ts';
import { bodies, requestOf } from './requests-for-tests.ts';
import type { Route, Rule } from './rule.ts';
import { openTeam } from './team-with-everything-for-tests.ts';

/* A client holds back the last byte of a body. Meanwhile it loses the right that it had when it began. */

let given: TestContext;
let app: App;
let team: Awaited<ReturnType<typeof openTeam>>;
let buildToken: string;
const letIn = new Map<unknown, () => void>();

before(async () => {
  given = await openTestContext();
  team = await openTeam(given);
  const runner = await signIn(given, given.keys.runner);
  const claim = await runner.call('POST', `/v1/builds/${team.things.build}/claim`, { lease_holder: 'r/1' });
  assert.equal(claim.status, 200, claim.text);
  buildToken = claim.body.token;
  app = await buildApp(given.context, {
    // After all that looks at a request before its body is read.
    watch: (watched) =>
      watched.addHook('preParsing', async (asked) => letIn.get(asked.headers['x-mark'])?.()),
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
});
after(async () => {
  await app?.close();
  await given.close();
});

/** Sends all but the last byte, and that when the API has let the request in and `meanwhile` is over. */
async function sendLate(
  route: Route,
  headers: Record<string, string>,
  { meanwhile, chunked = false }: { meanwhile: () => Promise<unknown>; chunked?: boolean },
): Promise<{ status: number | undefined; code: string | undefined }> {
  const { method, url, payload } = requestOf(route, team.things);
  const isLog = payload === undefined;
  const body = Buffer.from(isLog ? 'a line\n' : JSON.stringify(payload));
  const { port } = app.server.address() as AddressInfo;
  const mark = crypto.randomUUID();
  const isIn = new Promise<void>((resolve) => letIn.set(mark, resolve));
  const asked = request({
    ...{ host: '127.0.0.1', port, method, path: url },
    headers: {
      'content-type': isLog ? 'application/octet-stream' : 'application/json',
      ...(chunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(body.length) }),
      ...{ 'x-mark': mark, ...headers },
    },
  });
  const answered = once(asked, 'response');
  asked.write(body.subarray(0, -1));
  await isIn;
  await meanwhile();
  asked.end(body.subarray(-1));
  const [answer] = await answered;
  const told = answer.statusCode === 204 ? undefined : ((await json(answer)) as { code?: string });
  return { status: answer.statusCode, code: told?.code };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const keyOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sub;
const changeKey = (token: string, set: { revoked_at?: Date; scopes?: ReturnType<typeof jsonb<never>> }) =>
  given.context.database.updateTable('api_key').set(set).where('id', '=', keyOf(token)).execute();
const revokeKey = (token: string) => changeKey(token, { revoked_at: new Date() });

/** Of each kind of rule: who may ask when the request begins, and what takes that away. */
const ways: Partial<
  Record<
    Rule['who'],
    (rule: Rule) => Promise<{ headers: Record<string, string>; lose: () => Promise<unknown>; code: string }>
  >
> = {
  team: async () => {
    const { token } = await team.keyOf(teamScopes);
    return { headers: bearer(token), lose: () => revokeKey(token), code: 'token_revoked' };
  },
  operators: async (rule) => {
    const scope = rule.who === 'operators' ? rule.scope : 'operator';
    const { token } = await signIn(given, await addOperator(given, [scope]));
    return { headers: bearer(token), lose: () => revokeKey(token), code: 'token_revoked' };
  },
  'core crew with a grant': async () => {
    const { token } = await signIn(given, await addOperator(given, ['core_crew']));
    return { headers: bearer(token), lose: () => revokeKey(token), code: 'token_revoked' };
  },
  'runner of the build': async () => {
    const setRunner = (revoked_at: Date | null) =>
      given.context.database
        .updateTable('api_key')
        .set({ revoked_at })
        .where('id', '=', keyOf(buildToken))
        .execute();
    await setRunner(null);
    return { headers: bearer(buildToken), lose: () => setRunner(new Date()), code: 'token_revoked' };
  },
  person: async () => {
    const browser = await browserOf(given, `late-${crypto.randomUUID()}@example.com`);
    const cookie = [...browser.cookies].map((pair) => pair.join('=')).join('; ');
    return {
      headers: { cookie, origin: given.context.publicUrl },
      lose: () => browser.call('DELETE', '/v1/session'),
      code: 'not_signed_in',
    };
  },
};

const withBody = rules.filter(([route]) => bodies[route] || route === 'POST /v1/builds/:id/log');

for (const [route, rule] of withBody) {
  const way = ways[rule.who];
  if (!way) continue;
  test(`who loses the right while the body comes is refused at ${route}`, async () => {
    const { headers, lose, code } = await way(rule);
    assert.deepEqual(await sendLate(route, headers, { meanwhile: lose }), { status: 401, code });
  });
}

test('every kind of rule that lets somebody in by who it is has such a route', () => {
  const kinds = new Set(withBody.map(([, { who }]) => who).filter((who) => ways[who]));
  assert.deepEqual([...kinds].sort(), Object.keys(ways).sort());
});

test('so is who loses the scope alone, also with a body whose length nobody said', async () => {
  const { token } = await team.keyOf(teamScopes);
  const lose = () => changeKey(token, { scopes: jsonb(['projects:read'] as never) });
  const answer = await sendLate('POST /v1/api-keys', bearer(token), { meanwhile: lose, chunked: true });
  assert.deepEqual(answer, { status: 403, code: 'insufficient_scope' });
});

test('so is a member whose session ends', async () => {
  const browser = await browserOf(given, 'ada@example.com');
  const cookie = [...browser.cookies].map((pair) => pair.join('=')).join('; ');
  const headers = { cookie, origin: given.context.publicUrl, 'ebb-team': 'crew' };
  const lose = () => browser.call('DELETE', '/v1/session');
  const { status } = await sendLate('POST /v1/api-keys', headers, { meanwhile: lose });
  assert.equal(status, 401);
});

test('who keeps the right is answered', async () => {
  const { token } = await team.keyOf(teamScopes);
  const answer = await sendLate('POST /v1/api-keys', bearer(token), { meanwhile: async () => {} });
  assert.deepEqual(answer, { status: 201, code: undefined });
});
