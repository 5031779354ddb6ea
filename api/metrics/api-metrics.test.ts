import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { parseExposition } from '../../contract/exposition-for-tests.ts';
import { serveMetrics } from '../../contract/serve-metrics.ts';
import { createRunnerMetrics } from '../../runner/metrics/runner-metrics.ts';
import { type Client, created, declareBuildableProject, send, signIn } from '../test-client.ts';
import { openTestContext, type TestContext } from '../test-context.ts';
import { createApiMetrics } from './api-metrics.ts';

let given: TestContext;
let admin: Client;
let project: Awaited<ReturnType<typeof declareBuildableProject>>;
before(async () => {
  given = await openTestContext();
  admin = await signIn(given, given.keys.admin);
  project = await declareBuildableProject(given, admin);
});
after(() => given.close());

const exposition = async () => (await given.context.metrics?.registry.metrics()) ?? '';
async function sampled(family: string, labels: Record<string, string> = {}): Promise<number | undefined> {
  const found = parseExposition(await exposition())
    .get(family)
    ?.samples.find((one) => Object.entries(labels).every(([name, value]) => one.labels[name] === value));
  return found?.value;
}
const start = async () => (await created(admin, '/v1/builds', { project_id: project.id })).id;

test('builds that wait are shown by what for, and those that run and ended are counted', async () => {
  const { queue } = given.context;
  const runner = await signIn(given, given.keys.runner);
  const [first, , third] = [await start(), await start(), await start()];
  assert.equal(await sampled('ebb_queue_waiting_builds', { reason: 'turn' }), 3);
  assert.equal((await queue.claim('r/1', 60_000))?.build, first);
  const { body } = await runner.call('POST', `/v1/builds/${first}/claim`, { lease_holder: 'r/1' });
  assert.equal(await sampled('ebb_queue_waiting_builds', { reason: 'project_limit' }), 2);
  assert.equal(await sampled('ebb_queue_waiting_builds', { reason: 'turn' }), 0);
  assert.ok(((await sampled('ebb_queue_oldest_waiting_seconds', { reason: 'project_limit' })) ?? 0) > 0);
  assert.equal(await sampled('ebb_queue_leases'), 1);
  const waits = parseExposition(await exposition()).get('ebb_build_wait_seconds')?.samples;
  assert.equal(waits?.find(({ name }) => name.endsWith('_count'))?.value, 1);

  const report = async (outcome: object) =>
    await send(given, {
      method: 'POST',
      url: `/v1/builds/${first}/finish`,
      headers: { authorization: `Bearer ${body.token}` },
      payload: { attempt: 1, reason: 'The test says so.', ...outcome },
    });
  assert.equal((await report({ outcome: 'errored' })).status, 204);
  assert.equal((await report({ outcome: 'errored' })).status, 204, 'repeated');
  await admin.call('POST', `/v1/builds/${third}/cancel`);
  assert.equal(await sampled('ebb_builds_total', { outcome: 'errored' }), 1);
  assert.equal(await sampled('ebb_builds_total', { outcome: 'cancelled' }), 1);
});

test('no id and no name of a team, a project or a repository is in the exposition', async () => {
  const build = await start();
  const { team_id: team } = await given.context.database
    .selectFrom('project')
    .select('team_id')
    .where('id', '=', project.id)
    .executeTakeFirstOrThrow();
  const text = await exposition();
  assert.ok((await sampled('ebb_queue_waiting_builds', { reason: 'project_limit' })) !== undefined);
  for (const content of [build, team, project.id, project.name, project.connectionId, project.head, 'acme'])
    assert.ok(!text.includes(content), content);
  const values = [...parseExposition(text)]
    .filter(([name]) => name.startsWith('ebb_'))
    .flatMap(([, { samples }]) => samples.flatMap(({ labels }) => Object.entries(labels)))
    .filter(([name]) => name !== 'le');
  assert.deepEqual([...new Set(values.map(([name]) => name))].sort(), ['kind', 'outcome', 'reason']);
});

test('while the queue does not answer there is no number of it, and all others are there', async () => {
  const away = () => Promise.reject(new Error('Redis is away.'));
  const families = parseExposition(await createApiMetrics({ depth: away, counts: away }).registry.metrics());
  assert.deepEqual(families.get('ebb_queue_leases')?.samples, []);
  assert.deepEqual(families.get('ebb_queue_waiting_builds')?.samples, []);
  assert.ok(families.get('ebb_builds_total')?.samples.length);
});

test('metrics are served at an address of their own and never by the API', async () => {
  const registry = given.context.metrics?.registry;
  assert.ok(registry);
  const server = await serveMetrics(registry, { host: '127.0.0.1', port: 0 });
  try {
    const answer = await fetch(server.url);
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    assert.ok(parseExposition(await answer.text()).has('process_cpu_seconds_total'));
    assert.equal((await fetch(new URL('/v1/builds', server.url))).status, 404);
  } finally {
    await server.close();
  }
  assert.equal((await send(given, { method: 'GET', url: '/metrics' })).status, 404);
});

test('docs/operations.md lists every metric of Ebb, and no other', async () => {
  const runner = createRunnerMetrics();
  runner.countVms({
    name: 'none',
    launch: () => Promise.reject(),
    reap: async () => [],
    close: async () => {},
  });
  runner.watchPool({ status: () => ({ ready: 0, breaker: 'closed' }) });
  const exposed = [
    ...parseExposition(await exposition()),
    ...parseExposition(await runner.registry.metrics()),
  ]
    .map(([name]) => name)
    .filter((name) => name.startsWith('ebb_'));
  const guide = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const listed = [...guide.matchAll(/^\| `(ebb_[a-z_]+)/gm)].map(([, name]) => name);
  assert.deepEqual(listed.sort(), exposed.sort());
});
