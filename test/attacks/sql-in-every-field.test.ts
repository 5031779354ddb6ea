import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { rules } from '../../api/auth/authorization.ts';
import { created } from '../../api/test-client.ts';
import { openTestContext, type TestContext } from '../../api/test-context.ts';
import { type Asked, openAttack } from './every-route.ts';

/* Text that would be SQL if it were ever put together with it. */

let given: TestContext;
let attack: Awaited<ReturnType<typeof openAttack>>;
before(async () => {
  given = await openTestContext();
  attack = await openAttack(given);
});
after(() => given.close());

const words = `'; DROP TABLE build; --" OR 1=1 /* $1 \\' %_ */ \${2} ; select pg_sleep(9)`;
const queries = ['limit', 'cursor', 'natural_id', 'project_id', 'subject', 'within', 'offset', 'attempt'];

/** How many rows each table has, but for those that tell of requests. */
async function counts(): Promise<Record<string, number>> {
  const { rows } = await sql<{ name: string }>`
    select table_name as name from information_schema.tables where table_schema = 'public'`.execute(
    given.context.database,
  );
  const told = new Set(['audit_event', 'audit_head', 'idempotency_key', 'renewable_token', 'mail']);
  const counted: Record<string, number> = {};
  for (const { name } of rows.filter((table) => !told.has(table.name))) {
    const found = await sql<{ n: number }>`select count(*)::int as n from ${sql.table(name)}`.execute(
      given.context.database,
    );
    counted[name] = found.rows[0]?.n ?? -1;
  }
  return counted;
}

/** The request with the words at one place of its path, its query or its body, for each place. */
function* everywhere(request: Asked): Generator<Asked> {
  const [path = '', query = ''] = request.url.split('?');
  const parts = path.split('/');
  for (const [index, part] of parts.entries())
    if (/^[a-z]+_[0-9a-z]{26}$/.test(part))
      yield { ...request, url: parts.with(index, encodeURIComponent(words)).join('/') };
  for (const name of queries)
    yield { ...request, url: `${path}?${query && `${query}&`}${new URLSearchParams({ [name]: words })}` };
  for (const payload of inBody(request.payload)) yield { ...request, payload: payload as object };
}

function* inBody(value: unknown): Generator<unknown> {
  if (typeof value === 'string') yield words;
  if (Array.isArray(value))
    for (const [index, item] of value.entries())
      for (const changed of inBody(item)) yield value.with(index, changed);
  else if (typeof value === 'object' && value !== null)
    for (const [name, member] of Object.entries(value)) {
      for (const changed of inBody(member)) yield { ...value, [name]: changed };
      yield { ...value, [words]: member };
    }
}

test('at each place of each request it is refused, or is text: no table is changed by it', async () => {
  const before = await counts();
  let tried = 0;
  for (const [route, rule] of rules.filter(([name]) => !name.endsWith('/events')))
    for (const request of everywhere(attack.requestOf(route))) {
      // What is in order but for a query that nobody reads would be done.
      if (request.method !== 'GET' && request.url.includes('?')) continue;
      const { status, text } = await attack.ask(rule, request);
      assert.ok(status < 500, `${route} ${request.url} ${JSON.stringify(request.payload)}: ${text}`);
      tried += 1;
    }
  assert.ok(tried > 200, `${tried} requests`);
  const after = await counts();
  // Fields of free text take it: then there is one thing more, as there would be with other words.
  const madeOfText = [
    'secret',
    'key_release',
    'api_key',
    'access_grant',
    'workload_identity',
    'build',
    'build_number',
  ];
  for (const [table, count] of Object.entries(before))
    if (!madeOfText.includes(table)) assert.equal(after[table], count, table);
    else assert.ok((after[table] ?? 0) >= count, table);
});

test('in a field of free text it is kept and given back as it was written, and changes nothing else', async () => {
  const { owner, things } = attack.team;
  const other = await created(owner, '/v1/connections', { name: 'bystander', kind: 'local' });
  const untouched = async () => (await owner.call('GET', `/v1/connections/${other.id}`)).text;
  const before = await untouched();
  const hour = `${new Date(Date.now() + 3_600_000).toISOString().slice(0, 19)}Z`;
  const project = { setup: [words], test: [words], environment: { A: words } };
  const deploy = [{ branch: words, commands: [words] }];
  const written: ['PATCH' | 'POST', string, object][] = [
    ['PATCH', `/v1/projects/${things.project}`, { ...project, deploy }],
    ['PATCH', `/v1/hook-bindings/${things.hook}`, { branches: [words], tags: [words] }],
    ['PATCH', `/v1/deploy-keys/${things.deployKey}`, { rotate_when: { [words]: words } }],
    ['PATCH', `/v1/workload-identities/${things.workload}`, { audience: words, claims: { sub: words } }],
    ['POST', '/v1/api-keys', { name: words, scopes: ['builds:read'] }],
    [
      ...(['POST', '/v1/access-grants'] as const),
      { reason: words, scope: ['logs'], notify: ['ada@example.com'], ends_at: hour },
    ],
  ];
  for (const [method, path, payload] of written) {
    const { status, body, text } = await owner.call(method, path, payload);
    assert.ok(status === 200 || status === 201, `${path}: ${text}`);
    for (const [name, value] of Object.entries(payload))
      assert.deepEqual(body[name], value, `${path} ${name}`);
  }
  assert.equal(await untouched(), before);
});
