import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, beforeEach, test } from 'node:test';
import { parseExposition } from '../../contract/exposition-for-tests.ts';
import { type ClaimedBuild, claimBuild, startBuild } from '../../test/attacks/runner-for-tests.ts';
import { describeApi } from '../../test/describe-api.ts';
import { type Client, created, declareBuildableProject, send, signIn } from '../test-client.ts';
import { endAttempt } from './end-attempt.ts';
import { sweepOnce } from './sweep.ts';

const at = '2026-01-02T03:04:05.000Z';
const handle = 'eyJh.bGci.OiJF.Q0RI.LUVT';

describeApi('a build that is taken over', (given) => {
  let admin: Client;
  let runner: Client;
  let project: { id: string };
  let id: string;
  let first: ClaimedBuild;

  before(async () => {
    admin = await signIn(given(), given().keys.admin);
    runner = await signIn(given(), given().keys.runner);
  });
  beforeEach(async () => {
    project = await declareBuildableProject(given(), admin, { test: ['make'], timeout_minutes: 5 });
    id = (await created(admin, '/v1/builds', { project_id: project.id })).id;
    first = await startBuild(given(), runner, id);
  });

  const share = async () => {
    const shared = await first.report('milestones', { milestone: 'checkout_done', at, vm_handle: handle });
    assert.equal(shared.status, 204, shared.text);
  };
  const takeOver = (holder = `runner-2/${randomUUID()}`, from = [first.holder], handedOver = false) =>
    runner.call('POST', `/v1/builds/${id}/claim`, {
      ...{ lease_holder: holder, takes_over: from },
      ...(handedOver && { handed_over: true }),
    });
  const counted = async (reason: string) => {
    const text = (await given().context.metrics?.registry.metrics()) ?? '';
    const family = parseExposition(text).get('ebb_build_takeovers_total');
    return family?.samples.find(({ labels }) => labels.reason === reason)?.value ?? Number.NaN;
  };
  const log = (token: string, offset: number, text: string, cursor?: string) =>
    send(given(), {
      method: 'POST',
      url: `/v1/builds/${id}/log?${new URLSearchParams({ attempt: '1', offset: String(offset), ...(cursor && { cursor }) })}`,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
      payload: text,
    });
  const row = async () =>
    await given()
      .context.database.selectFrom('build')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirstOrThrow();

  test('goes on as the same attempt, where its log stands, with the commands it was begun with', async () => {
    await share();
    const opened = { number: 1, at, event: { action: 'deploy_key.opened' } };
    assert.equal((await first.report('custody-events', opened)).status, 204);
    await log(first.specification.token, 0, 'hello ', 'after hello');
    const changed = await admin.call('PATCH', `/v1/projects/${project.id}`, {
      test: ['make something else'],
    });
    assert.equal(changed.status, 200, changed.text);
    const { status, body, text } = await takeOver();
    assert.equal(status, 200, text);
    assert.deepEqual([body.attempt, body.log_offset], [1, 6]);
    assert.deepEqual(body.steps, [{ phase: 'test', commands: ['make'] }]);
    const { seconds_left: left, ...resume } = body.resume;
    assert.deepEqual(resume, { vm_handle: handle, log_cursor: 'after hello', custody_events: 1 });
    assert.ok(left > 0 && left <= 300);
    assert.equal((await log(body.token, 6, 'world')).status, 204);
    assert.equal((await admin.call('GET', `/v1/builds/${id}/log`)).text, 'hello world');
    const { body: audit } = await admin.call('GET', '/v1/audit-events?limit=100');
    const released = audit.items.filter(
      (entry: { action: string; detail: { build?: string } }) =>
        entry.action === 'project_key.released' && entry.detail.build === id,
    );
    assert.equal(released.length, 2, 'the key was handed out twice');
  });

  test('is not gone on with when secrets or variables have changed, which could be neither masked nor kept apart', async () => {
    const secret = await created(admin, '/v1/secrets', {
      project_id: project.id,
      name: 'TOKEN',
      value: 'new',
    });
    await share();
    assert.equal((await takeOver()).body.code, 'not_to_take_over');
    assert.equal((await row()).lease_holder, first.holder);
    await admin.call('DELETE', `/v1/secrets/${secret.id}`);
    assert.equal(
      (await admin.call('PATCH', `/v1/projects/${project.id}`, { environment: { A: '1' } })).status,
      200,
    );
    assert.equal((await takeOver()).body.code, 'not_to_take_over');
    assert.equal((await admin.call('PATCH', `/v1/projects/${project.id}`, { environment: {} })).status, 200);
    assert.equal((await takeOver()).status, 200);
  });

  test('keeps the deployment that it has begun, with whichever phase who takes it over begins', async () => {
    await share();
    assert.equal((await first.report('phase', { phase: 'deploy' })).status, 204);
    const { body } = await takeOver();
    for (const phase of ['setup', 'test', 'deploy']) {
      const answer = await first.report('phase', { phase }, { token: body.token });
      assert.equal(answer.status, 204, `${phase}: ${answer.text}`);
      assert.equal((await row()).phase, 'deploy');
    }
  });

  test('is heard no more from the runner that had it', async () => {
    await share();
    const second = await takeOver();
    const reports = [
      ['milestones', { milestone: 'vm_gone', at }],
      ['phase', { phase: 'deploy' }],
      ['waiting', { reason: 'x' }],
      [
        'custody-events',
        { number: 1, at, event: { action: 'secrets.opened', phase: 'test', count: 1, names: ['A'] } },
      ],
      ['finish', { outcome: 'lost', reason: 'The runner lost its lease.' }],
    ] as const;
    for (const [what, body] of reports) {
      const answer = await first.report(what, body);
      assert.deepEqual([answer.status, answer.body.code], [409, 'taken_over'], what);
    }
    const late = await log(first.specification.token, 0, 'late');
    assert.deepEqual([late.status, late.body.code], [409, 'taken_over']);
    const { state, deploy_started } = await row();
    assert.deepEqual([state, deploy_started], ['running', false]);
    const end = await first.report('finish', { outcome: 'passed' }, { token: second.body.token });
    assert.equal(end.status, 204);
  });

  test('goes to one of two that try, and to that one again when its answer got lost', async () => {
    await share();
    const holders = ['runner-2/a', 'runner-3/b'];
    const answers = await Promise.all(holders.map((holder) => takeOver(holder)));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409]);
    const won = answers.findIndex(({ status }) => status === 200);
    const refused = answers[1 - won];
    assert.equal(refused?.body.code, 'not_to_take_over');
    assert.doesNotMatch(refused?.text ?? '', /eyJ/);
    assert.equal((await takeOver(holders[won])).status, 200, 'the answer may have got lost');
    assert.equal((await takeOver(holders[1 - won])).status, 409);
  });

  test('may have been taken from the queue by one that died before the API heard of it', async () => {
    await share();
    const third = await takeOver('runner-3/c', [first.holder, 'runner-2/dead']);
    assert.equal(third.status, 200, third.text);
    assert.equal(
      (await takeOver('runner-2/dead', [first.holder])).status,
      409,
      'it lives after all, too late',
    );
  });

  test('that was lost with each of four runners, one after the other, takes down no fifth', async () => {
    await share();
    const before = await counted('runner_lost');
    const holders = [first.holder];
    for (const holder of ['runner-2/a', 'runner-3/b', 'runner-4/c']) {
      assert.equal((await takeOver(holder, holders)).status, 200);
      assert.equal((await takeOver(holder, holders)).status, 200, 'the answer may have got lost');
      holders.push(holder);
    }
    const fifth = await takeOver('runner-5/d', holders);
    assert.deepEqual([fifth.status, fifth.body.code], [409, 'cannot_build']);
    const { state, reason, vm_handle } = await row();
    assert.deepEqual([state, vm_handle], ['errored', null]);
    assert.match(reason ?? '', /^4 runners, one after the other, were lost .* may be what takes them down/);
    assert.equal((await counted('runner_lost')) - before, 3, 'each once');
  });

  test('is handed over as often as runners end, and counts none that had nothing of it in its hands', async () => {
    await share();
    const before = await counted('handed_over');
    let last = first.holder;
    for (let times = 0; times < 6; times += 1) {
      const holder = `runner/${randomUUID()}`;
      assert.equal((await takeOver(holder, [last], true)).status, 200);
      last = `runner/${randomUUID()}`;
      assert.equal((await takeOver(last, [holder, 'runner/dead'])).status, 200);
    }
    assert.equal((await row()).state, 'running');
    assert.equal((await counted('handed_over')) - before, 6);
  });

  test('must have a VM that was shared, and nobody who wants its end', async () => {
    assert.equal((await takeOver()).body.code, 'not_to_take_over', 'it is not checked out yet');
    await share();
    assert.equal((await takeOver('runner-2/a', ['somebody/else'])).status, 409);
    await admin.call('POST', `/v1/builds/${id}/cancel`);
    assert.equal((await takeOver()).body.code, 'not_to_take_over');
  });

  test('stands in its log where the last bytes say, however often and late they come again', async () => {
    await share();
    const { token } = first.specification;
    await log(token, 0, 'one ', '1');
    await log(token, 4, 'two ', '2');
    assert.equal((await log(token, 0, 'one ', '1')).status, 204);
    assert.equal((await log(token, 20, 'five', '5')).status, 409);
    assert.equal((await row()).log_cursor, '2');
    await log(token, 4, 'two three', '3');
    const { log_cursor, log_size } = await row();
    assert.deepEqual([log_cursor, log_size], ['3', 13]);
  });

  test('leaves nothing that opens its VM when its attempt is over', async () => {
    await share();
    await log(first.specification.token, 0, 'x', '1');
    await first.report('finish', { outcome: 'lost', reason: 'The VM died.' });
    const lost = await row();
    assert.deepEqual([lost.state, lost.vm_handle, lost.log_cursor], ['queued', null, null]);
    const second = await claimBuild(given(), runner, id);
    assert.equal(second.specification.resume, undefined);
  });

  /** Sweeps while the queue says that the lease ran out, and whether that is long ago. */
  const sweep = async (longAgo: boolean) => {
    const { context } = given();
    const expired = async ({ forMs = 0 } = {}) => (forMs === 0 || longAgo ? [id] : []);
    const look = async (builds: string[]) =>
      builds.map((build) => ({ build, state: 'leased' as const, holder: first.holder }));
    const walk = async () => 'done' as const;
    const queue = { ...context.queue, expired, look, walk };
    await sweepOnce({ ...context, queue, now: () => new Date(context.now().getTime() + 10_000) });
    return (await row()).state;
  };

  test('waits for another runner before it is given up, if its VM was shared', async () => {
    await share();
    assert.equal(await sweep(false), 'running');
    assert.equal(await sweep(true), 'queued');
  });

  test('is given up at once when it cannot be taken over', async () => {
    assert.equal(await sweep(false), 'queued');
  });

  test('is over at once when it is to be cancelled and its runner is gone', async () => {
    await share();
    await admin.call('POST', `/v1/builds/${id}/cancel`);
    assert.equal(await sweep(false), 'cancelled');
  });

  test('is not given up by who looked at it just before', async () => {
    await share();
    const before = await row();
    assert.equal((await takeOver()).status, 200);
    const lost = { attempt: 1, outcome: 'lost' as const, reason: 'The runner of this build is gone.' };
    assert.equal(await endAttempt(given().context, before, lost), false);
    assert.equal((await row()).state, 'running');
  });
});
