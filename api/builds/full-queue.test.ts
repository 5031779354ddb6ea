import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { type BuildQueue, QueueFullError } from '../../queue/build-queue.ts';
import { createRedisQueue } from '../../queue/redis-queue.ts';
import { describeApi } from '../../test/describe-api.ts';
import { storePush } from '../hooks/deliver-for-tests.ts';
import { processDeliveries } from '../hooks/process-deliveries.ts';
import { type Client, created, declareBuildableProject, signIn } from '../test-client.ts';
import { createBuild } from './create-build.ts';
import { enqueueBuild } from './enqueue-build.ts';
import { insertBuild } from './insert-build.ts';
import { sweepOnce } from './sweep.ts';

const minute = 60_000;
const commit = 'c'.repeat(40);

describeApi('a full queue', (given) => {
  let admin: Client;
  let small: BuildQueue;
  let usual: BuildQueue;
  let project: { id: string; name: string; head: string };
  let teamId: string;
  before(async () => {
    admin = await signIn(given(), given().keys.admin);
    const { queue, database } = given().context;
    usual = queue;
    const team = database.selectFrom('team').select('id').where('name', '=', 'acme');
    teamId = (await team.executeTakeFirstOrThrow()).id;
  });
  beforeEach(async () => {
    // The sweeper would put them into the queue first.
    for (const { id } of (await admin.call('GET', '/v1/builds')).body.items)
      await admin.call('POST', `/v1/builds/${id}/cancel`);
    project = await declareBuildableProject(given(), admin);
  });

  /** Runs with a queue that one build fills. */
  async function withFullQueue(use: (leave: () => Promise<void>) => Promise<void>): Promise<void> {
    const prefix = `{${crypto.randomUUID()}}`;
    small = await createRedisQueue({ url: given().redisUrl, prefix, maxWaiting: 1 });
    // The app reads it from its context at each request.
    given().context.queue = small;
    try {
      await small.enqueue({ build: 'bld_first', project: 'prj_first', team: 'team_first' }, 1);
      await use(() => small.forget('bld_first'));
    } finally {
      given().context.queue = usual;
      await small.close();
    }
  }
  const start = (headers = {}) => admin.call('POST', '/v1/builds', { project_id: project.id }, headers);
  const builds = async () => (await admin.call('GET', `/v1/builds?project_id=${project.id}`)).body.items;

  test('refuses a request with 503 and when to come again, and leaves nothing of it', async () => {
    await withFullQueue(async (leave) => {
      const key = { 'idempotency-key': crypto.randomUUID() };
      const { status, headers, body } = await start(key);
      assert.deepEqual([status, body.code, headers['retry-after']], [503, 'queue_full', '60']);
      assert.equal(headers['content-type'], 'application/problem+json');
      assert.match(body.detail, /The queue is full: 1 builds wait/);
      assert.deepEqual(await builds(), []);
      await leave();
      const again = await start(key);
      assert.deepEqual([again.status, again.body.number], [201, 1]);
    });
  });

  test('lets a build of a fork await its approval until there is room', async () => {
    const { id } = await given()
      .context.database.transaction()
      .execute((transaction) =>
        insertBuild(
          transaction,
          {
            ...{ projectId: project.id, teamId, trigger: 'pull_request', ref: 'refs/pull/1/head', commit },
            ...{ branch: 'patch', message: '', pullRequest: { number: 1, fromFork: true } },
          },
          new Date(),
        ),
      );
    const approve = () => admin.call('POST', `/v1/builds/${id}/approve`);
    await withFullQueue(async (leave) => {
      assert.deepEqual([(await approve()).status, (await builds())[0].state], [503, 'awaiting_approval']);
      await leave();
      assert.deepEqual([(await approve()).status, (await builds())[0].state], [200, 'queued']);
    });
  });

  test('that became full while a build was accepted takes it as soon as there is room', async () => {
    await withFullQueue(async (leave) => {
      const { context } = given();
      const racing = { ...small, requireRoom: async () => {} };
      const who = { teamId, keyId: 'key_test' };
      const { id } = await createBuild({ ...context, queue: racing }, who, { project_id: project.id });
      const [waiting] = await builds();
      assert.deepEqual([waiting.state, await small.place(id)], ['queued', undefined]);
      assert.match(waiting.reason, /the queue is full; this build comes into it as soon as there is room/);
      await leave();
      const later = new Date(Date.now() + minute);
      await sweepOnce({ ...context, now: () => later });
      assert.equal((await builds())[0].reason, 'Waiting for a runner: next in line.');
    });
  });

  test('does not end a build that waited when Redis lost everything', async () => {
    const { body } = await start();
    await withFullQueue(async () => {
      const { context } = given();
      const row = context.database.selectFrom('build').selectAll().where('id', '=', body.id);
      await enqueueBuild(context, await row.executeTakeFirstOrThrow());
      assert.equal((await builds())[0].state, 'queued');
    });
  });

  test('holds pushes back in their order, and gives one up after an hour with what to do', async (t) => {
    const hook = await created(admin, '/v1/hook-bindings', { project_id: project.id });
    const { context } = given();
    const deal = () => processDeliveries(context, context.stopping, async () => {});
    const full = { ...usual, requireRoom: () => Promise.reject(new QueueFullError(1)) };
    const deliveries = async () =>
      (await admin.call('GET', `/v1/hook-bindings/${hook.id}/deliveries`)).body.items;

    const of = { repository: project.name, commit: project.head };
    const received = new Date(Date.now() - 60 * minute);
    // For the API, too, which deals with deliveries by itself at any moment.
    context.queue = full;
    t.after(() => {
      context.queue = usual;
    });
    await storePush(given(), hook.id, { ...of, delivery: 'early', received });
    await storePush(given(), hook.id, { ...of, delivery: 'late' });
    await deal();
    let [late, early] = await deliveries();
    for (; early.reason === null; [late, early] = await deliveries()) await deal();
    assert.match(early.reason, /queue of builds was full for an hour.*Push again.*ebb build/);
    assert.deepEqual([early.build, late.build, late.reason], [null, null, null]);
    context.queue = usual;
    let [built] = await deliveries();
    for (; built.build === null; [built] = await deliveries()) await deal();
    assert.deepEqual([built.delivery, built.build, built.reason], ['late', (await builds())[0].id, null]);
  });
});
