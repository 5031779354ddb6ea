import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { claimBuild } from '../builds/claim-build.ts';
import { noticeRemovals } from '../reconciler/notice-removals.ts';
import { commit } from '../test-client.ts';
import { revokingAtGithub } from './revoking-at-github-for-tests.ts';

const signal = AbortSignal.timeout(300_000);

describe('a deploy key or hook that somebody removes at GitHub by hand', () => {
  const { given, declare, hide, removeByHand, audited } = revokingAtGithub(signal);

  const notice = async () => {
    for (const table of ['deploy_key', 'hook_binding'] as const) {
      const looked_at = new Date(Date.now() - 600_000);
      await given().context.database.updateTable(table).set({ looked_at }).execute();
    }
    while ((await noticeRemovals(given().context, signal)) > 0);
  };
  const stateOf = async (path: string, project: { id: string }) => {
    const { body } = await given().admin.call('GET', `${path}?project_id=${project.id}`);
    return body.items[0].state;
  };

  test('is noticed without anybody asking, shown, audited once, and ends queued builds with the reason', async () => {
    const declared = await declare();
    await notice();
    assert.equal(await stateOf('/v1/deploy-keys', declared.project), 'active');
    await commit(declared.folder);
    const queued = await given().admin.call('POST', '/v1/builds', { project_id: declared.project.id });
    assert.equal(queued.status, 201, queued.text);
    removeByHand(declared);
    await notice();
    await notice();
    const runner = { keyId: 'key_runner', teamId: '', scopes: [] };
    await assert.rejects(claimBuild(given().context, runner, queued.body.id, 'lease'), {
      code: 'cannot_build',
    });
    const ended = await given().admin.call('GET', `/v1/builds/${queued.body.id}`);
    assert.equal(ended.body.state, 'errored');
    assert.match(ended.body.reason, /SHA256:.* was removed at the source host/);
    assert.equal(await stateOf('/v1/deploy-keys', declared.project), 'revoked_at_source_host');
    assert.equal(await stateOf('/v1/hook-bindings', declared.project), 'revoked_at_source_host');
    assert.deepEqual(await audited(declared.deployKey.id), [
      'deploy_key.created',
      'deploy_key.revoked_at_source_host',
    ]);
    assert.deepEqual(await audited(declared.binding.id), [
      'hook_binding.created',
      'hook_binding.revoked_at_source_host',
    ]);
    const read = await given().admin.call('GET', `/v1/deploy-keys/${declared.deployKey.id}`);
    assert.equal(read.status, 404, 'Terraform plans it anew');
    assert.equal(read.body.code, 'revoked_at_source_host');
  });

  test('is itself again when it is back under another id', async () => {
    const declared = await declare();
    const { keys } = given().github.repository(declared.repository);
    const [[, key] = []] = keys;
    assert.ok(key);
    keys.clear();
    await notice();
    keys.set(900_003, key);
    await notice();
    assert.equal(await stateOf('/v1/deploy-keys', declared.project), 'active');
    assert.deepEqual(await audited(declared.deployKey.id), [
      'deploy_key.created',
      'deploy_key.revoked_at_source_host',
      'deploy_key.restored_at_source_host',
    ]);
    const read = await given().admin.call('GET', `/v1/deploy-keys/${declared.deployKey.id}`);
    assert.equal(read.body.source_host_id, '900003');
  });

  test('is not believed to be gone because GitHub is down or hides the repository', async () => {
    const declared = await declare();
    hide();
    await notice();
    given().github.limit.of = () => ({ status: 502 });
    await notice();
    assert.equal(await stateOf('/v1/deploy-keys', declared.project), 'active');
  });
});
