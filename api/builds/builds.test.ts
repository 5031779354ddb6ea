import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { describeApi } from '../../test/describe-api.ts';
import type { ApiContext } from '../context.ts';
import {
  type Client,
  commit,
  created,
  declareBuildableProject,
  declareProject,
  signIn,
} from '../test-client.ts';
import { sweepOnce } from './sweep.ts';

describeApi('builds by request', (given) => {
  let admin: Client;
  let project: Awaited<ReturnType<typeof declareBuildableProject>>;
  before(async () => {
    admin = await signIn(given(), given().keys.admin);
  });
  beforeEach(async () => {
    project = await declareBuildableProject(given(), admin);
  });
  const start = (more: object = {}) => admin.call('POST', '/v1/builds', { project_id: project.id, ...more });
  const entry = async (id: string) => (await given().context.queue.list()).find(({ build }) => build === id);
  const later = (context: ApiContext, ms: number): ApiContext => ({
    ...context,
    now: () => new Date(Date.now() + ms),
  });

  test('the head of the default branch is built when none is named', async () => {
    const { status, headers, body } = await start();
    assert.equal(status, 201);
    assert.equal(headers.location, `/v1/builds/${body.id}`);
    assert.deepEqual([body.branch, body.commit, body.number, body.trigger], ['main', project.head, 1, 'api']);
    assert.equal((await entry(body.id))?.state, 'waiting');
  });

  test('another branch, or a commit of it, can be named', async () => {
    const head = await commit(project.folder, 'feature/a');
    assert.equal((await start({ branch: 'feature/a' })).body.commit, head);
    const named = await start({ branch: 'feature/a', commit: project.head });
    assert.deepEqual(
      [named.body.branch, named.body.commit, named.body.number],
      ['feature/a', project.head, 2],
    );
  });

  test('of builds of a project that wait the one of the highest priority is next', async () => {
    const { queue } = given().context;
    const [usual, early, late] = [
      await start(),
      await start({ priority: 100 }),
      await start({ priority: -100 }),
    ].map(({ body }) => body.id);
    const shown = async (id: string) => (await admin.call('GET', `/v1/builds/${id}`)).body;
    assert.deepEqual([(await shown(usual)).priority, (await shown(early)).priority], [0, 100]);
    assert.equal((await shown(early)).reason, 'Waiting for a runner: next in line.');
    assert.equal((await shown(late)).reason, 'Waiting for a runner: 3rd in line.');
    await queue.forget(early);
    await sweepOnce(later(given().context, 60_000));
    assert.equal((await queue.place(early))?.place, 1, 'also when it came into the queue anew');
  });

  test('a priority that is none is refused with the field', async () => {
    for (const priority of [101, -101, 0.5, 'high']) {
      const { status, body } = await start({ priority });
      assert.deepEqual([status, body.errors[0].pointer], [422, '#/priority']);
    }
  });

  test('what cannot be built is refused with what to do, and no build is made', async () => {
    const keyless = await declareProject(given(), admin);
    const cases = [
      [await start({ branch: 'nowhere' }), 422, /has no branch nowhere. Push it/],
      [await start({ commit: 'abc' }), 422, /commit/],
      [await start({ project_id: 'prj_none' }), 422, /project_id/],
      [await admin.call('POST', '/v1/builds', { project_id: keyless.id }), 409, /Declare an ebb_deploy_key/],
    ] as const;
    for (const [{ status, body }, expected, detail] of cases) {
      assert.equal(status, expected);
      assert.match(body.detail, detail);
    }
    assert.deepEqual((await admin.call('GET', `/v1/builds?project_id=${project.id}`)).body.items, []);
  });

  test('builds are listed newest first, page by page', async () => {
    const ids = [];
    for (let index = 0; index < 3; index++) ids.push((await start()).body.id);
    const first = await admin.call('GET', `/v1/builds?project_id=${project.id}&limit=2`);
    const rest = await admin.call(
      'GET',
      `/v1/builds?project_id=${project.id}&limit=2&cursor=${first.body.next_cursor}`,
    );
    const listed = [...first.body.items, ...rest.body.items].map(({ id }: { id: string }) => id);
    assert.deepEqual(listed, ids.reverse());
    assert.equal(rest.body.next_cursor, null);
  });

  test('a waiting build is cancelled at once, and cancelling again changes nothing', async () => {
    const { id } = (await start()).body;
    const cancelled = await admin.call('POST', `/v1/builds/${id}/cancel`);
    assert.deepEqual([cancelled.status, cancelled.body.state], [202, 'cancelled']);
    assert.equal(cancelled.body.reason, 'Cancelled by request.');
    assert.equal(await entry(id), undefined);
    const again = await admin.call('POST', `/v1/builds/${id}/cancel`);
    assert.deepEqual([again.status, again.body], [200, cancelled.body]);
  });

  test('a build whose answer got lost is answered to who asks again, and not made a second time', async () => {
    const { context } = given();
    const { enqueue } = context.queue;
    const ids = { 'idempotency-key': 'lost-answer' };
    const ask = () => admin.call('POST', '/v1/builds', { project_id: project.id }, ids);
    const builds = async () => (await admin.call('GET', `/v1/builds?project_id=${project.id}`)).body.items;
    // The process that takes the first request gets no further than the row.
    const { promise, resolve } = Promise.withResolvers<void>();
    context.queue.enqueue = () => promise;
    const first = ask();
    try {
      while ((await builds()).length === 0) await delay(20);
      const again = await ask();
      assert.equal(again.status, 201);
      assert.deepEqual(
        (await builds()).map(({ id }: { id: string }) => id),
        [again.body.id],
      );
    } finally {
      context.queue.enqueue = enqueue;
      resolve();
    }
    await first;
  });

  test('a build that Redis forgot is queued again by the sweeper', async () => {
    const { id } = (await start()).body;
    await given().context.queue.forget(id);
    await sweepOnce(given().context);
    assert.equal(await entry(id), undefined, 'what was accepted a moment ago may be on its way');
    await sweepOnce(later(given().context, 60_000));
    assert.equal((await entry(id))?.state, 'waiting');
  });

  test('an entry whose build is over is forgotten by the sweeper', async () => {
    const { id } = (await start()).body;
    await admin.call('POST', `/v1/builds/${id}/cancel`);
    await given().context.queue.enqueue({ build: id, project: project.id, team: 'team_x' }, 1);
    await sweepOnce(given().context);
    assert.equal(await entry(id), undefined);
  });

  test('a project that is being revoked is not built', async () => {
    await admin.call('DELETE', `/v1/projects/${project.id}`);
    assert.ok([404, 409, 422].includes((await start()).status));
  });

  test('a deploy key that is destroyed stops builds by request until there is a new one', async () => {
    const [key] = (await admin.call('GET', `/v1/deploy-keys?project_id=${project.id}`)).body.items;
    assert.equal((await admin.call('DELETE', `/v1/deploy-keys/${key.id}`)).status, 204);
    assert.equal((await start()).body.code, 'no_deploy_key');
    await created(admin, '/v1/deploy-keys', { project_id: project.id });
    assert.equal((await start()).status, 201);
  });
});
