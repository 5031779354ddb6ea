import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { type Client, created, declareBuildableProject, signIn } from '../../api/test-client.ts';
import { describeApi } from '../describe-api.ts';
import { claimBuild, startBuild } from './runner-for-tests.ts';

describeApi('a build is claimed once', (given) => {
  let admin: Client;
  let runner: Client;
  let project: { id: string };
  let id: string;
  before(async () => {
    admin = await signIn(given(), given().keys.admin);
    runner = await signIn(given(), given().keys.runner);
  });
  beforeEach(async () => {
    project = await declareBuildableProject(given(), admin);
    id = (await created(admin, '/v1/builds', { project_id: project.id })).id;
  });
  const claim = (holder: string) => runner.call('POST', `/v1/builds/${id}/claim`, { lease_holder: holder });

  test('of two runners with the same build one gets the wrapped key, the other a refusal without it', async () => {
    const answers = await Promise.all(['runner-1/a', 'runner-2/b'].map(claim));
    const [won, refused] = answers.sort((a, b) => a.status - b.status);
    assert.equal(won?.status, 200);
    assert.match(won?.text ?? '', /wrapped_private_key/);
    assert.deepEqual([refused?.status, refused?.body.code], [409, 'not_claimable']);
    assert.doesNotMatch(refused?.text ?? '', /wrapped_private_key|eyJ/);
  });

  test('a claim that is replayed after its attempt ended gets nothing, though the build waits again', async () => {
    const first = await claimBuild(given(), runner, id, 'runner-1/a');
    await first.report('finish', { outcome: 'lost', reason: 'The VM died.' });
    const replayed = await Promise.all([claim('runner-1/a'), claim('runner-1/a')]);
    for (const { status, body, text } of replayed) {
      assert.deepEqual([status, body.code], [409, 'claim_spent']);
      assert.doesNotMatch(text, /wrapped_private_key|eyJ/);
    }
    const second = await claimBuild(given(), runner, id, 'runner-2/b');
    await second.report('finish', { outcome: 'lost', reason: 'The VM died.' });
    for (const spent of ['runner-1/a', 'runner-2/b'])
      assert.equal((await claim(spent)).body.code, 'claim_spent');
    assert.equal((await claim('runner-2/c')).body.attempt, 3);
  });

  test('a claim that is replayed after the build is over gets nothing', async () => {
    const { report } = await startBuild(given(), runner, id);
    await report('finish', { outcome: 'passed' });
    const replayed = await claim('runner-1/a');
    assert.deepEqual([replayed.status, replayed.body.code], [409, 'not_claimable']);
  });

  test('the token of attempt 1 does nothing in attempt 2, whichever attempt it says it speaks for', async () => {
    const first = await claimBuild(given(), runner, id);
    await first.report('finish', { outcome: 'lost', reason: 'The VM died.' });
    const second = await startBuild(given(), runner, id);
    const { token } = first.specification;
    const reports = [
      ['finish', { outcome: 'passed' }],
      ['phase', { phase: 'deploy' }],
      ['waiting', { reason: 'x' }],
      ['milestones', { milestone: 'vm_gone', at: new Date().toISOString() }],
      ['custody-events', { number: 1, at: new Date().toISOString(), event: { action: 'deploy_key.opened' } }],
    ] as const;
    for (const [what, body] of reports) {
      const honest = await first.report(what, body);
      assert.deepEqual(
        [honest.status, honest.body.code],
        [409, what === 'finish' ? 'already_over' : 'old_attempt'],
        what,
      );
      const lying = await second.report(what, body, { token });
      assert.deepEqual([lying.status, lying.body.code], [403, 'wrong_attempt'], what);
    }
    assert.equal((await admin.call('GET', `/v1/builds/${id}`)).body.state, 'running');
  });

  test('the token of another build opens nothing of this one', async () => {
    await startBuild(given(), runner, id);
    const other = (await created(admin, '/v1/builds', { project_id: project.id })).id;
    const stranger = await claimBuild(given(), runner, other);
    for (const [what, body] of [
      ['claim', { attempt: undefined, lease_holder: 'x' }],
      ['finish', { outcome: 'passed' }],
      ['custody-events', { number: 1, at: new Date().toISOString(), event: { action: 'deploy_key.opened' } }],
    ] as const) {
      const answer = await stranger.report(what, body, { build: id });
      assert.deepEqual([answer.status, answer.body.code], [403, 'wrong_build'], what);
    }
  });

  test('a build of a revoked project is given to nobody, and its queued build is over', async () => {
    const { status } = await admin.call('POST', `/v1/projects/${project.id}/revoke`);
    assert.equal(status, 200);
    const late = await claim('runner-1/a');
    assert.deepEqual([late.status, late.body.code], [409, 'not_claimable']);
    assert.doesNotMatch(late.text, /wrapped_private_key|eyJ/);
    const { rows } = await wrappedKeys();
    assert.deepEqual(rows, [{ wrapped_private_key: null }]);
  });

  async function wrappedKeys() {
    const rows = await given()
      .context.database.selectFrom('project')
      .select('wrapped_private_key')
      .where('id', '=', project.id)
      .execute();
    return { rows };
  }
});
