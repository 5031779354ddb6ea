import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { Redis } from 'ioredis';
import { createRedisQueue } from '../../queue/redis-queue.ts';
import { describeApi } from '../../test/describe-api.ts';
import { enqueueBuild } from '../builds/enqueue-build.ts';
import { newWalk, sweepOnce } from '../builds/sweep.ts';
import {
  addOperator,
  addTeam,
  type Client,
  created,
  declareBuildableProject,
  signIn,
} from '../test-client.ts';

const minute = 60_000;

describeApi('shares of teams', (given) => {
  let admin: Client;
  let operator: Client;
  before(async () => {
    admin = await signIn(given(), given().keys.admin);
    operator = await signIn(given(), await addOperator(given(), ['operator', 'audit:read']));
  });
  beforeEach(async () => {
    await set({ weight: 1, limit: null, paused_by_operator: null });
    await admin.call('DELETE', '/v1/team/pause');
    await operator.call('PATCH', '/v1/operator/fleet', { limit: null, drained: false });
    const { queue } = given().context;
    for (const { build } of await queue.list()) await queue.forget(build);
  });

  const set = (change: object, team = 'acme') => operator.call('PATCH', `/v1/operator/teams/${team}`, change);
  const claim = async () => (await given().context.queue.claim(`r/${crypto.randomUUID()}`, minute))?.build;
  const reason = async (id: string) => (await admin.call('GET', `/v1/builds/${id}`)).body.reason;
  const waiting = async (count: number): Promise<string[]> => {
    const { id } = await declareBuildableProject(given(), admin, { concurrency: 100 });
    const builds = [];
    for (let made = 0; made < count; made += 1)
      builds.push((await created(admin, '/v1/builds', { project_id: id })).id);
    return builds;
  };

  test('the operator limits a team at once, also for builds that wait already, and they say so', async () => {
    const [first, second, third = ''] = await waiting(3);
    assert.equal((await set({ limit: 1 })).body.limit, 1);
    assert.equal(await claim(), first);
    assert.equal(await claim(), undefined);
    assert.equal(await reason(third), 'Waiting: 2nd in line; team acme at its limit of 1 build.');
    await set({ limit: null });
    assert.equal(await claim(), second);
  });

  test('a team that the operator paused waits, and reads why', async () => {
    const [build = ''] = await waiting(1);
    await set({ paused_by_operator: 'Your builds fill the network; write to us.' });
    assert.equal(await claim(), undefined);
    const why = 'Waiting: next in line; paused by the operator: Your builds fill the network; write to us.';
    assert.equal(await reason(build), why);
    const share = await admin.call('GET', '/v1/team/share');
    assert.equal(share.body.paused_by_operator, 'Your builds fill the network; write to us.');
    await set({ paused_by_operator: null });
    assert.equal(await claim(), build);
  });

  test('a team pauses and resumes itself, but does not resume what the operator paused', async () => {
    const [build = ''] = await waiting(1);
    const paused = await admin.call('PUT', '/v1/team/pause', { reason: 'The registry moves.' });
    assert.equal(paused.body.paused_by_team, 'The registry moves.');
    assert.equal(await reason(build), 'Waiting: next in line; paused by the team: The registry moves.');
    await set({ paused_by_operator: 'We look into it.' });
    const resumed = await admin.call('DELETE', '/v1/team/pause');
    assert.deepEqual([resumed.status, resumed.body.paused_by_operator], [200, 'We look into it.']);
    assert.equal(await claim(), undefined);
    const again = await admin.call('DELETE', '/v1/team/pause');
    assert.deepEqual([again.status, again.body.code], [409, 'paused_by_operator']);
    assert.match(again.body.detail, /We look into it/);
    await set({ paused_by_operator: null });
    assert.equal(await claim(), build);
  });

  test('what a team wrote is not shown to the operator', async () => {
    await admin.call('PUT', '/v1/team/pause', { reason: 'The acquisition of Initech.' });
    const { body, text } = await operator.call('GET', '/v1/operator/teams');
    assert.deepEqual(
      body.items.map(({ paused_by_team }: { paused_by_team: boolean }) => paused_by_team),
      [true],
    );
    assert.ok(!text.includes('Initech') && !text.includes('acme'));
  });

  test('a drained fleet starts nothing, and one at its limit no more than that', async () => {
    const [first, second = ''] = await waiting(2);
    await operator.call('PATCH', '/v1/operator/fleet', { drained: true });
    assert.equal(await claim(), undefined);
    assert.match(await reason(second), /^Waiting: 2nd in line; Ebb starts no builds for the moment/);
    await operator.call('PATCH', '/v1/operator/fleet', { drained: false, limit: 1 });
    assert.equal(await claim(), first);
    assert.equal(await claim(), undefined);
    assert.equal(await reason(second), 'Waiting: next in line; all of Ebb at its limit of 1 build.');
  });

  test('of two teams with work the heavier one is served longer', async () => {
    const other = await signIn(given(), await addTeam(given(), `heavy-${crypto.randomUUID().slice(0, 8)}`));
    const project = await declareBuildableProject(given(), other, { concurrency: 100 });
    for (let made = 0; made < 8; made += 1) await created(other, '/v1/builds', { project_id: project.id });
    const ours = new Set(await waiting(8));
    await set({ weight: 3 });
    const claimed = [];
    for (let count = 0; count < 8; count += 1) claimed.push(await claim());
    assert.equal(claimed.filter((build) => ours.has(build ?? '')).length, 6);
  });

  test('a Redis that lost everything is told again before a build of a paused team can start', async () => {
    const { context } = given();
    const [build] = await waiting(1);
    await set({ paused_by_operator: 'Wait.' });
    await operator.call('PATCH', '/v1/operator/fleet', { limit: 7 });
    const empty = await createRedisQueue({ url: given().redisUrl, prefix: `{${crypto.randomUUID()}}` });
    try {
      const later = new Date(Date.now() + minute);
      await sweepOnce({ ...context, queue: empty, now: () => later });
      assert.ok((await empty.list()).some((entry) => entry.build === build));
      assert.equal((await empty.place(build ?? ''))?.waitsFor, 'team_paused');
      await set({ paused_by_operator: null });
      await sweepOnce({ ...context, queue: empty, now: () => later });
      assert.equal((await empty.place(build ?? ''))?.waitsFor, 'turn');
    } finally {
      await empty.close();
    }
  });

  test('a change that Redis did not hear of counts after the next sweep', async () => {
    const { context } = given();
    const [build] = await waiting(1);
    const { setTeam } = context.queue;
    context.queue.setTeam = () => Promise.reject(new Error('Redis is away.'));
    await admin.call('PUT', '/v1/team/pause', { reason: 'Wait.' });
    context.queue.setTeam = setTeam;
    assert.equal((await context.queue.place(build ?? ''))?.waitsFor, 'turn');
    await sweepOnce(context);
    assert.equal((await context.queue.place(build ?? ''))?.waitsFor, 'team_paused');
  });

  test('a sweep that read before a pause and a drain undoes neither', async () => {
    const { context } = given();
    const { queue } = context;
    const [build = ''] = await waiting(1);
    await set({ limit: 9 });
    const late = {
      async setFleet(fleet: object) {
        await operator.call('PATCH', '/v1/operator/fleet', { drained: true });
        return await queue.setFleet(fleet);
      },
      async setTeam(team: string, share: object) {
        await admin.call('PUT', '/v1/team/pause', { reason: 'Wait.' });
        return await queue.setTeam(team, share);
      },
    };
    await sweepOnce({ ...context, queue: { ...queue, ...late } });
    assert.equal((await queue.place(build))?.waitsFor, 'team_paused');
    await admin.call('DELETE', '/v1/team/pause');
    assert.equal((await queue.place(build))?.waitsFor, 'drained');
  });

  test('after PostgreSQL was put back to an earlier time its shares count, and later changes do at once', async () => {
    const { context } = given();
    const { database, queue } = context;
    const [build = ''] = await waiting(1);
    const walk = newWalk();
    await admin.call('PUT', '/v1/team/pause', { reason: 'Wait.' });
    await operator.call('PATCH', '/v1/operator/fleet', { drained: true });
    await sweepOnce(context, walk);
    await database.updateTable('team').set({ paused_by_team: null, share_version: 0 }).execute();
    await database.updateTable('fleet').set({ drained: false, share_version: 1 }).execute();
    await sweepOnce(context, walk);
    assert.equal((await queue.place(build))?.waitsFor, 'turn');
    await admin.call('PUT', '/v1/team/pause', { reason: 'Again.' });
    assert.equal((await queue.place(build))?.waitsFor, 'team_paused');
    await database.updateTable('team').set({ paused_by_team: null, share_version: 0 }).execute();
    await sweepOnce(context, newWalk());
    assert.equal((await queue.place(build))?.waitsFor, 'turn', 'by a process that was started since');
  });

  test('a Redis that lost everything gives nothing before it knows how much there may be', async () => {
    const { context } = given();
    await waiting(1);
    const empty = await createRedisQueue({ url: given().redisUrl, prefix: `{${crypto.randomUUID()}}` });
    try {
      for (const row of await context.database
        .selectFrom('build')
        .selectAll()
        .where('state', '=', 'queued')
        .execute())
        await enqueueBuild({ ...context, queue: empty }, row);
      assert.equal(await empty.claim('r/early', minute), undefined);
      await sweepOnce({ ...context, queue: empty });
      assert.ok(await empty.claim('r/later', minute));
    } finally {
      await empty.close();
    }
  });

  test('a sweep tells what has changed since the one before, and all when Redis was lost', async () => {
    const { context } = given();
    const walk = newWalk();
    const told: string[] = [];
    const setTeam: typeof context.queue.setTeam = async (team, share) => {
      told.push(team);
      return await context.queue.setTeam(team, share);
    };
    const sweep = async () => {
      told.length = 0;
      while (await sweepOnce({ ...context, queue: { ...context.queue, setTeam } }, walk));
      return told.length;
    };
    const other = `other-${crypto.randomUUID().slice(0, 8)}`;
    await addTeam(given(), other);
    await set({ limit: 9 });
    await set({ limit: 8 }, other);
    const all = await sweep();
    assert.ok(all >= 2);
    assert.equal(await sweep(), 0);
    await set({ limit: null }, other);
    assert.equal(await sweep(), 1);
    const redis = new Redis(given().redisUrl);
    await redis.flushall();
    redis.disconnect();
    assert.equal(await sweep(), all);
  });

  test('asking again for what is so changes nothing and leaves no second entry', async () => {
    const entries = async () =>
      (await admin.call('GET', '/v1/audit-events?limit=100')).body.items.filter(
        ({ action }: { action: string }) => action === 'team.share_changed',
      );
    const countBefore = (await entries()).length;
    const first = await set({ weight: 2, limit: 9 });
    const second = await set({ weight: 2, limit: 9 });
    assert.deepEqual(first.body, second.body);
    const after = await entries();
    assert.equal(after.length, countBefore + 1);
    assert.deepEqual(after[0].detail, { weight: 2, build_limit: 9 });
  });

  test('what was read is changed only if it is still so, when the request says If-Match', async () => {
    const { headers } = await operator.call('GET', '/v1/operator/teams/acme');
    await set({ weight: 5 });
    const stale = { 'if-match': String(headers.etag) };
    const answer = await operator.call('PATCH', '/v1/operator/teams/acme', { weight: 6 }, stale);
    assert.equal(answer.status, 412);
  });

  test('what makes no sense is refused with the field', async () => {
    for (const [change, field] of [
      [{ weight: 0 }, 'weight'],
      [{ limit: 0 }, 'limit'],
      [{ paused_by_operator: '' }, 'paused_by_operator'],
      [{ paused_by_team: 'x' }, 'paused_by_team'],
    ] as const) {
      const { status, body } = await set(change);
      assert.deepEqual([status, body.errors[0].pointer], [422, `#/${field}`]);
    }
    assert.equal((await set({ weight: 2 }, 'nobody')).status, 404);
    assert.equal((await set({ weight: 2 }, 'ebb-operators')).status, 404);
  });

  test('a team does not set its own share, and a key that only reads pauses nothing', async () => {
    assert.equal((await admin.call('PATCH', '/v1/operator/teams/acme', { weight: 9 })).status, 403);
    const reader = await signIn(given(), given().keys.admin, { scope: 'builds:read' });
    assert.equal((await reader.call('PUT', '/v1/team/pause', { reason: 'x' })).status, 403);
    const project = await declareBuildableProject(given(), admin);
    const narrow = await signIn(given(), given().keys.admin, { project_id: project.id });
    assert.equal((await narrow.call('PUT', '/v1/team/pause', { reason: 'x' })).body.code, 'wrong_project');
  });
});
