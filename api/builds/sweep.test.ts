import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { Redis } from 'ioredis';
import { type KyselyPlugin, sql } from 'kysely';
import { createRedisQueue } from '../../queue/redis-queue.ts';
import { describeApi } from '../../test/describe-api.ts';
import type { ApiContext } from '../context.ts';
import { newId } from '../db/new-id.ts';
import { type Client, created, declareBuildableProject, signIn } from '../test-client.ts';
import { endAttempt } from './end-attempt.ts';
import { newWalk, runSweeper, sweepOnce } from './sweep.ts';
import { useVm } from './use-vm.ts';
import { insertWaiting } from './waiting-builds-for-tests.ts';

const minute = 60_000;

describeApi('the sweeper', (given) => {
  let admin: Client;
  let runner: Client;
  let project: { id: string };
  before(async () => {
    admin = await signIn(given(), given().keys.admin);
    runner = await signIn(given(), given().keys.runner);
  });
  beforeEach(async () => {
    await flushRedis();
    await given().context.queue.setFleet({});
    const over = { state: 'cancelled' as const, finished_at: new Date() };
    await given().context.database.updateTable('build').set(over).where('finished_at', 'is', null).execute();
    project = await declareBuildableProject(given(), admin, { concurrency: 2 });
  });

  async function flushRedis(): Promise<void> {
    const redis = new Redis(given().redisUrl);
    await redis.flushall();
    redis.disconnect();
  }
  const later = (ms: number): ApiContext => ({ ...given().context, now: () => new Date(Date.now() + ms) });
  const read = async (id: string) => (await admin.call('GET', `/v1/builds/${id}`)).body;
  /** A build that a runner has claimed, in Redis and at the API. */
  async function runningBuild(holder: string, leaseMs = minute): Promise<string> {
    const { id } = await created(admin, '/v1/builds', { project_id: project.id });
    assert.equal((await given().context.queue.claim(holder, leaseMs))?.build, id);
    assert.equal((await runner.call('POST', `/v1/builds/${id}/claim`, { lease_holder: holder })).status, 200);
    return id;
  }
  /** Sweeps as the process does, round after round for as long as there is need for haste. */
  async function sweepUntilCalm(context: ApiContext): Promise<number> {
    const walk = newWalk('walk');
    let rounds = 1;
    while (await sweepOnce(context, walk)) rounds += 1;
    return rounds;
  }

  test('after a total loss of Redis all that waited waits in its old order, and what runs goes on', async () => {
    const { context } = given();
    const running = await runningBuild('r/1');
    const ids = await insertWaiting(context, project.id, 2_500);
    await sweepUntilCalm(context);
    await flushRedis();
    assert.equal(await context.queue.heartbeat(running, 'r/1', minute), 'absent');
    const { id: newest } = await created(admin, '/v1/builds', { project_id: project.id });

    assert.equal(await sweepUntilCalm(context), 3, 'a page a round');
    assert.equal(await context.queue.heartbeat(running, 'r/1', minute), 'held');
    assert.deepEqual(await context.queue.counts(), { waiting: 2_501, leased: 1, expired: 0 });
    for (const index of [0, 1, 999, 1_000, 2_499]) {
      assert.equal((await context.queue.place(ids[index] ?? ''))?.place, index + 1);
    }
    assert.equal((await context.queue.place(newest))?.place, 2_501, 'what came later is not before it');
    const { state, attempt } = await read(running);
    assert.deepEqual([state, attempt], ['starting', 1]);
    assert.equal((await context.queue.claim('r/2', minute))?.build, ids[0]);
    assert.equal(await context.queue.claim('r/3', minute), undefined, 'the build that runs counts');
  });

  test('after a loss of Redis as many queries put builds of a hundred projects back as of one', async () => {
    const { context } = given();
    const putBack = async (projects: string[]) => {
      for (const id of projects) await insertWaiting(context, id, 1);
      await flushRedis();
      let queries = 0;
      const count: KyselyPlugin = {
        transformQuery({ node }) {
          queries += 1;
          return node;
        },
        transformResult: async ({ result }) => result,
      };
      await sweepUntilCalm({ ...context, database: context.database.withPlugin(count) });
      return queries;
    };
    const one = await putBack([project.id]);
    const many = await putBack(await copyProject(project.id, 100));
    assert.equal((await context.queue.counts()).waiting, 101);
    assert.equal(many, one);
  });

  async function copyProject(id: string, times: number): Promise<string[]> {
    const ids = Array.from({ length: times }, () => newId('prj', Date.now()));
    await sql`
      insert into project
      select (jsonb_populate_record(project, jsonb_build_object('id', copy, 'name', copy, 'repository', copy))).*
      from project, unnest(${ids}::text[]) as copies (copy)
      where project.id = ${id}
    `.execute(given().context.database);
    return ids;
  }

  test('when Redis is lost again in the middle of the walk, the walk begins anew', async () => {
    const { context } = given();
    const ids = await insertWaiting(context, project.id, 2_200);
    const walk = newWalk('walk');
    await sweepOnce(context, walk);
    await flushRedis();
    while (await sweepOnce(context, walk));
    assert.equal((await context.queue.counts()).waiting, ids.length);
  });

  test('two that sweep at once put each build back once', async () => {
    const { context } = given();
    const ids = await insertWaiting(context, project.id, 300);
    await Promise.all([sweepUntilCalm(context), sweepUntilCalm(context)]);
    assert.equal((await context.queue.counts()).waiting, ids.length);
    assert.equal((await context.queue.list()).length, ids.length);
  });

  test('a round looks at no more than its pages, however many builds wait', async () => {
    const { context } = given();
    await insertWaiting(context, project.id, 3_000);
    await sweepUntilCalm(context);
    let looked = 0;
    const look: typeof context.queue.look = async (builds) => {
      looked += builds.length;
      return await context.queue.look(builds);
    };
    let listed = 0;
    const page: typeof context.queue.page = async (cursor, count) => {
      const answer = await context.queue.page(cursor, count);
      listed += answer.entries.length;
      return answer;
    };
    assert.equal(await sweepOnce({ ...context, queue: { ...context.queue, look, page } }), false);
    assert.equal(looked, 2_000, 'the newest, and a page');
    assert.ok(listed < 2_000, `${listed} entries of 3,000`);
  });

  test('entries of builds that are over are forgotten in the end, however many wait', async () => {
    const { context } = given();
    await insertWaiting(context, project.id, 1_500);
    await sweepUntilCalm(context);
    const team = { project: project.id, team: 'team_x' };
    for (const build of ['bld_gone_1', 'bld_gone_2']) await context.queue.enqueue({ build, ...team }, 2);
    const walk = newWalk('walk');
    let rounds = 0;
    do {
      await sweepOnce(context, walk);
      rounds += 1;
    } while (walk.entriesCursor !== undefined && rounds < 20);
    assert.deepEqual(await context.queue.look(['bld_gone_1', 'bld_gone_2']), [undefined, undefined]);
    assert.equal((await context.queue.counts()).waiting, 1_500);
  });

  test('a build whose runner is slow or paused is left alone for as long as its lease is held', async () => {
    const { context } = given();
    const id = await runningBuild('r/slow');
    const vm = `vm_of_${id}`;
    await useVm(context, { vm, build: id, attempt: 1 });
    for (let round = 0; round < 10; round += 1) await sweepUntilCalm(later(60 * minute));
    assert.equal((await read(id)).state, 'starting');
    assert.equal(await context.queue.heartbeat(id, 'r/slow', minute), 'held');
    const checked = await runner.call('POST', '/v1/vm-checks', { vms: [vm] });
    assert.deepEqual(checked.body, { ended: [] });
  });

  test('a build whose runner gave its lease up without a word is tried again', async () => {
    const { context } = given();
    await sweepUntilCalm(context);
    const id = await runningBuild('r/gone');
    await context.queue.finish(id, 'r/gone');
    await sweepOnce(context);
    assert.equal((await read(id)).state, 'queued');
  });

  /** Has another runner begin the build anew, which r/1 gives up. */
  async function beginAnew(id: string): Promise<void> {
    const { context } = given();
    const row = context.database.selectFrom('build').selectAll().where('id', '=', id);
    const build = await row.executeTakeFirstOrThrow();
    assert.ok(await endAttempt(context, build, { attempt: 1, outcome: 'lost', reason: 'The VM is gone.' }));
    assert.equal((await context.queue.claim('r/2', minute))?.build, id);
    const claimed = await runner.call('POST', `/v1/builds/${id}/claim`, { lease_holder: 'r/2' });
    assert.equal(claimed.status, 200, claimed.text);
  }
  /** The attempt that begins while a sweep looks is r/2's, and is left to it. */
  async function belongsToTheNext(id: string): Promise<void> {
    const { state, attempt } = await read(id);
    assert.deepEqual([state, attempt], ['starting', 2]);
    assert.equal(await given().context.queue.heartbeat(id, 'r/2', minute), 'held');
  }

  test('an attempt that begins after a look at the builds that run is not taken for the one before', async () => {
    const { queue } = given().context;
    await sweepUntilCalm(given().context);
    const id = await runningBuild('r/1');
    await queue.requeue(id, 'r/1');
    let looks = 0;
    const look: typeof queue.look = async (builds) => {
      const answer = await queue.look(builds);
      looks += 1;
      if (looks === 1) await beginAnew(id);
      return answer;
    };
    await sweepOnce({ ...later(minute), queue: { ...queue, look } });
    await belongsToTheNext(id);
  });

  test('an attempt that begins after a look at leases that ran out is not taken for the one before', async () => {
    const { queue } = given().context;
    await sweepUntilCalm(given().context);
    const id = await runningBuild('r/1', 1);
    while ((await queue.expired()).length === 0);
    let looks = 0;
    const expired: typeof queue.expired = async (options) => {
      const answer = await queue.expired(options);
      looks += 1;
      if (looks === 1) await beginAnew(id);
      return answer;
    };
    await sweepOnce({ ...later(minute), queue: { ...queue, expired } });
    await belongsToTheNext(id);
  });

  const rowOf = async (id: string) =>
    await given()
      .context.database.selectFrom('build')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirstOrThrow();

  test('a build that is cancelled while its loss is dealt with is over, and does not wait again', async () => {
    const id = await runningBuild('r/1');
    const before = await rowOf(id);
    assert.equal((await admin.call('POST', `/v1/builds/${id}/cancel`)).status, 202);
    const lost = { attempt: 1, outcome: 'lost' as const, reason: 'The runner is gone.' };
    assert.equal(await endAttempt(given().context, before, lost), true);
    assert.equal((await read(id)).state, 'cancelled');
  });

  test('a build that begins its deployment while its loss is dealt with is not run a second time', async () => {
    const { database } = given().context;
    const id = await runningBuild('r/1');
    const before = await rowOf(id);
    const deploys = { state: 'running' as const, deploy_started: true };
    await database.updateTable('build').set(deploys).where('id', '=', id).execute();
    const lost = { attempt: 1, outcome: 'lost' as const, reason: 'The runner is gone.' };
    assert.equal(await endAttempt(given().context, { ...before, state: 'running' }, lost), true);
    const { state, reason } = await read(id);
    assert.equal(state, 'errored');
    assert.match(reason, /during the deployment, which Ebb never runs twice/);
  });

  test('a build that waits though it is to be cancelled is over after a sweep, and says why', async () => {
    const { context } = given();
    const { id } = await created(admin, '/v1/builds', { project_id: project.id });
    const wanted = { cancel_requested: true, reason: 'Cancelled by the test.' };
    await context.database.updateTable('build').set(wanted).where('id', '=', id).execute();
    await sweepUntilCalm(context);
    const { state, reason } = await read(id);
    assert.deepEqual([state, reason], ['cancelled', 'Cancelled by the test.']);
    assert.deepEqual(await context.queue.look([id]), [undefined]);
  });

  test('what runs goes on when Redis loses everything in the middle of a round', async () => {
    const { queue } = given().context;
    await sweepUntilCalm(given().context);
    const id = await runningBuild('r/1');
    let looks = 0;
    const look: typeof queue.look = async (builds) => {
      if (looks === 0) await flushRedis();
      looks += 1;
      return await queue.look(builds);
    };
    await sweepUntilCalm({ ...later(minute), queue: { ...queue, look } });
    const { state, attempt } = await read(id);
    assert.deepEqual([state, attempt], ['starting', 1]);
    assert.equal(await queue.heartbeat(id, 'r/1', minute), 'held');
  });

  test('a build that Redis took back to the holder before goes back to the one that has it', async () => {
    const { context } = given();
    const { database, queue } = context;
    await sweepUntilCalm(context);
    const id = await runningBuild('r/1');
    await database.updateTable('build').set({ lease_holder: 'r/2' }).where('id', '=', id).execute();
    await sweepUntilCalm(context);
    assert.equal(
      await queue.heartbeat(id, 'r/1', minute),
      'held',
      'while nothing is lost the queue is ahead',
    );
    const redis = new Redis(given().redisUrl);
    await redis.set('{ebb-3}:walked', 'another run');
    redis.disconnect();
    assert.equal(await queue.heartbeat(id, 'r/2', minute), 'absent');
    await sweepUntilCalm(context);
    assert.equal(await queue.heartbeat(id, 'r/2', minute), 'held');
    const { state, attempt } = await read(id);
    assert.deepEqual([state, attempt], ['starting', 1]);
  });

  test('a build whose VM is said to be gone is lost, though its runner holds the lease', async () => {
    const { context } = given();
    const id = await runningBuild('r/1');
    await useVm(context, { vm: `vm_of_${id}`, build: id, attempt: 1 });
    await context.database.updateTable('build').set({ state: 'running' }).where('id', '=', id).execute();
    await context.database
      .updateTable('vm_use')
      .set({ gone_at: new Date() })
      .where('build_id', '=', id)
      .execute();
    await sweepOnce(context);
    assert.equal((await read(id)).state, 'running', 'its end may be on its way');
    await sweepOnce(later(minute));
    const { state } = await read(id);
    assert.equal(state, 'queued');
    assert.equal(await context.queue.heartbeat(id, 'r/1', minute), 'lost', 'and its runner is told');
  });

  test('a full queue leaves what was accepted waiting in the database', async () => {
    const { context } = given();
    const ids = await insertWaiting(context, project.id, 3);
    const queue = await createRedisQueue({ url: given().redisUrl, maxWaiting: 2 });
    try {
      await sweepUntilCalm({ ...context, queue });
      assert.equal((await queue.counts()).waiting, 2);
      assert.equal((await read(ids[2] ?? '')).state, 'queued');
      assert.equal((await admin.call('POST', `/v1/builds/${ids[0]}/cancel`)).status, 202);
      await sweepOnce({ ...context, queue });
      assert.equal((await queue.look(ids.slice(2)))[0]?.state, 'waiting');
    } finally {
      await queue.close();
    }
  });

  test('keys of repeated requests are kept for a day, and then forgotten', async () => {
    const { context } = given();
    const ids = { 'idempotency-key': 'once-a-day' };
    const make = async (name: string) =>
      (await admin.call('POST', '/v1/connections', { name, kind: 'local' }, ids)).status;
    const kept = async () => {
      const keys = context.database.selectFrom('idempotency_key').select('key').execute();
      return (await keys).map(({ key }) => key);
    };
    const hour = 60 * minute;
    assert.equal(await make('first-day'), 201);
    await sweepOnce(later(23 * hour));
    assert.deepEqual(await kept(), ['once-a-day']);
    assert.equal(await make('second-day'), 422, 'with another request');
    await sweepOnce(later(25 * hour));
    assert.deepEqual(await kept(), []);
    assert.equal(await make('second-day'), 201);
  });

  test('of several processes one sweeps, and another goes on when it was killed', async () => {
    const { queue } = given().context;
    assert.equal(await queue.lead('first', minute), true);
    assert.equal(await queue.lead('second', minute), false);
    assert.equal(await queue.lead('first', 1), true);
    while (!(await queue.lead('second', minute)));
    assert.equal(await queue.lead('first', minute), false);
  });

  test('a process that does not lead changes nothing', async () => {
    const { context } = given();
    await insertWaiting(context, project.id, 5);
    await context.queue.lead('another', minute);
    const stop = new AbortController();
    const sweeping = runSweeper(context, { intervalMs: 5, signal: stop.signal });
    for (let asked = 0; asked < 20; asked += 1) await context.queue.lead('another', minute);
    assert.equal((await context.queue.counts()).waiting, 0);
    await flushRedis();
    while ((await context.queue.counts()).waiting < 5);
    stop.abort();
    await sweeping;
  });
});
