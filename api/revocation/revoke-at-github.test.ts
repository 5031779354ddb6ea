import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { finishRemovals } from '../reconciler/finish-removals.ts';
import { beginAttempt } from './attempt.ts';
import { resumeRevocations } from './resume-revocations.ts';
import { revokingAtGithub } from './revoking-at-github-for-tests.ts';

const signal = AbortSignal.timeout(300_000);

describe('revoking at GitHub', () => {
  const {
    given,
    declare,
    refuseRemovals,
    removeByHand,
    revoke,
    revocationOf,
    resume,
    told,
    wrappedKey,
    audited,
  } = revokingAtGithub(signal);

  test('a refusal destroys the secrets at once and says in words what to remove by hand and where; it finishes when that is done', async () => {
    const declared = await declare();
    refuseRemovals();
    const refused = await revoke(declared.project);
    assert.equal(refused.status, 503);
    assert.equal(refused.body.code, 'source_host_refused');
    const { body: key } = await given().admin.call(
      'GET',
      `/v1/deploy-keys?project_id=${declared.project.id}`,
    );
    assert.deepEqual(key.items, [], 'it is not offered any more');
    for (const method of ['GET', 'DELETE'] as const) {
      for (const path of [`deploy-keys/${declared.deployKey.id}`, `hook-bindings/${declared.binding.id}`]) {
        const { status, body } = await given().admin.call(method, `/v1/${path}`);
        assert.equal(status, 409, 'nor is it gone, as Terraform would take a 404');
        assert.match(body.detail, /being revoked.*may still be at the source host.*settings\/keys/);
      }
    }
    const page = `https://github.com/${declared.repository}/settings`;
    for (const words of [`"Ebb: acme/${declared.name}"`, 'SHA256:', `${page}/keys`, `${page}/hooks`]) {
      assert.ok(refused.body.detail.includes(words), `${words}: ${refused.body.detail}`);
    }
    assert.equal(await wrappedKey(declared), null);

    const held = await revocationOf(declared.project);
    assert.equal(held.state, 'held_up');
    assert.deepEqual(held.remaining, ['hook_removed', 'deploy_key_removed', 'absence_confirmed']);
    assert.deepEqual(
      held.obstacle.remove_by_hand.map(({ what, page }: { what: string; page: string }) => [what, page]),
      [
        ['hook', `${page}/hooks`],
        ['deploy_key', `${page}/keys`],
      ],
    );
    assert.ok(new Date(held.next_try_at) > new Date());
    assert.equal(await resumeRevocations(given().context, signal), 0, 'not before the next try is due');

    removeByHand(declared);
    await resume();
    const done = await revocationOf(declared.project);
    assert.equal(done.state, 'finished');
    assert.equal((await given().admin.call('GET', `/v1/deploy-keys/${declared.deployKey.id}`)).status, 404);
    assert.match(await told(done.receipt_id), /Already gone at the source host/);
    assert.deepEqual(await audited(declared.project.id), [
      'project.created',
      'revocation.requested',
      'revocation.step_finished',
      'revocation.step_finished',
      'revocation.step_blocked',
      ...Array(3).fill('revocation.step_finished'),
      'revocation.finished',
    ]);
  });

  test('a refusal that lasts is audited once and tried less and less often', async () => {
    const declared = await declare();
    refuseRemovals();
    await revoke(declared.project);
    const hour = new Date(Date.now() - 3 * 3_600_000).toISOString();
    const { obstacle } = await revocationOf(declared.project);
    await given()
      .context.database.updateTable('revocation')
      .set({ obstacle: JSON.stringify({ ...obstacle, since: hour }) as never })
      .where('subject', '=', declared.project.id)
      .execute();
    await resume();
    const held = await revocationOf(declared.project);
    assert.equal(held.attempts, 2);
    assert.equal(held.obstacle.since, hour);
    const wait = Date.parse(held.next_try_at) - Date.now();
    assert.ok(wait > 3_500_000 && wait <= 3_600_000, `${wait} ms`);
    const blocked = (await audited(declared.project.id)).filter((action) => action.endsWith('step_blocked'));
    assert.equal(blocked.length, 1);
    delete given().github.limit.of;
    await resume();
    assert.equal((await revocationOf(declared.project)).state, 'finished');
  });

  test('with a credential that GitHub does not take, a new one lets it finish', async () => {
    const declared = await declare();
    given().github.token.revoked = true;
    const refused = await revoke(declared.project);
    assert.equal(refused.body.code, 'source_host_refused');
    assert.match(refused.body.detail, /Give the connection a new one/);
    given().github.token.revoked = false;
    const path = `/v1/connections/${declared.connection.id}`;
    assert.equal(
      (await given().admin.call('PATCH', path, { token: given().github.token.value })).status,
      200,
    );
    const { status, body } = await revoke(declared.project);
    assert.equal(status, 200);
    assert.match(await told(body.receipt_id), /Removed at the source host/);
    assert.equal(given().github.repository(declared.repository).keys.size, 0);
  });

  test('what a person states to have removed counts only where GitHub does not let Ebb see, and the receipt says whose word it is', async () => {
    const blind = await declare();
    given().github.token.revoked = true;
    const finished = await revoke(blind.project, { removed_by_hand: true });
    assert.equal(finished.status, 200);
    const words = await told(finished.body.receipt_id);
    assert.match(words, /NOT CONFIRMED BY EBB/);
    assert.match(words, new RegExp(`${finished.body.requested_by} stated`));

    given().github.token.revoked = false;
    const seen = await declare();
    const { body } = await revoke(seen.project, { removed_by_hand: true });
    assert.doesNotMatch(await told(body.receipt_id), /NOT CONFIRMED/);
    assert.equal(given().github.repository(seen.repository).keys.size, 0);
  });

  test('a repository that is gone holds nothing up; nor does one that was renamed', async () => {
    const gone = await declare();
    given().github.remove(gone.repository);
    const { status, body } = await revoke(gone.project);
    assert.equal(status, 200);
    assert.match(await told(body.receipt_id), /NOT CONFIRMED BY EBB.*it was deleted, or it is hidden/);
    const renamed = await declare();
    given().github.rename(renamed.repository, `${renamed.repository}-new`);
    assert.equal((await revoke(renamed.project)).status, 200);
    const { keys, hooks } = given().github.repository(`${renamed.repository}-new`);
    assert.deepEqual([keys.size, hooks.size], [0, 0]);
  });

  test('no statement counts against what GitHub shows: an archived repository keeps the revocation open', async () => {
    const declared = await declare();
    refuseRemovals();
    const refused = await revoke(declared.project, { removed_by_hand: true });
    assert.equal(refused.status, 503);
    assert.equal(refused.body.code, 'source_host_refused');
    assert.match(refused.body.detail, /still shows the hook, so the statement does not count/);
    assert.equal((await revocationOf(declared.project)).state, 'held_up');
    removeByHand(declared);
    const { status, body } = await revoke(declared.project, { removed_by_hand: true });
    assert.equal(status, 200);
    assert.doesNotMatch(await told(body.receipt_id), /stated/);
  });

  test('while GitHub is down the revocation waits, and finishes when it is back', async () => {
    const declared = await declare();
    given().github.limit.of = () => ({ status: 502 });
    const down = await revoke(declared.project);
    assert.equal(down.status, 503);
    assert.equal(down.body.code, 'source_host_unreachable');
    assert.equal(down.headers['retry-after'], '10');
    assert.equal(await wrappedKey(declared), null);
    delete given().github.limit.of;
    await resume();
    const { keys, hooks } = given().github.repository(declared.repository);
    assert.deepEqual([keys.size, hooks.size], [0, 0]);
    const { steps } = await revocationOf(declared.project);
    const waited = steps.find(({ step }: { step: string }) => step === 'hook_removed');
    assert.equal(waited.measured_by, 'recorded_times');
  });

  test('a removal whose answer is cut off is looked for, not believed', async () => {
    const declared = await declare();
    given().github.fail({ method: 'DELETE', how: 'cut-off' });
    assert.equal((await revoke(declared.project)).status, 200);
    const { keys, hooks } = given().github.repository(declared.repository);
    assert.deepEqual([keys.size, hooks.size], [0, 0]);
  });

  test('a key and a hook that somebody adds again between removal and confirmation are found and removed', async () => {
    const declared = await declare();
    const { keys, hooks } = given().github.repository(declared.repository);
    const [[, key] = []] = keys;
    const [[, hook] = []] = hooks;
    assert.ok(key && hook);
    let looks = 0;
    let hooksBack = 0;
    given().github.limit.of = (method, path) => {
      // The second look at the keys is that of the confirmation; the hooks were looked at before it.
      if (method === 'GET' && /\/keys$/.test(path) && ++looks === 2) keys.set(900_001, { ...key });
      if (method === 'DELETE' && /\/keys\//.test(path) && hooksBack++ === 0)
        hooks.set(900_002, { ...hook, id: 900_002 });
      return undefined;
    };
    const { status, body } = await revoke(declared.project);
    assert.equal(status, 200, body.detail);
    assert.deepEqual([keys.size, hooks.size], [0, 0]);
    assert.match(await told(body.receipt_id), /It had 2 of them, new or added again; that was removed too/);
  });

  test('what held an earlier attempt up holds nothing up while a later one is at work', async () => {
    const declared = await declare();
    refuseRemovals();
    await revoke(declared.project);
    assert.equal((await revocationOf(declared.project)).state, 'held_up');
    const { id } = await revocationOf(declared.project);
    await beginAttempt(given().context, id);
    const during = await revocationOf(declared.project);
    assert.equal(during.state, 'going_on');
    assert.equal(during.obstacle.attempt, 1, 'it is still told, as of then');
    delete given().github.limit.of;
    assert.equal((await revoke(declared.project)).status, 200);
  });

  test('deleting a deploy key that GitHub holds on to destroys its private half, says what to remove, and is finished later', async () => {
    const declared = await declare();
    refuseRemovals();
    const path = `/v1/deploy-keys/${declared.deployKey.id}`;
    const refused = await given().admin.call('DELETE', path);
    assert.equal(refused.status, 422);
    assert.match(refused.body.detail, /private half is destroyed.*SHA256:.*settings\/keys/);
    const { database } = given().context;
    const row = await database
      .selectFrom('deploy_key')
      .select('sealed_private_key')
      .where('id', '=', declared.deployKey.id)
      .executeTakeFirstOrThrow();
    assert.equal(row.sealed_private_key, '');
    assert.equal((await given().admin.call('GET', path)).body.state, 'removing');
    delete given().github.limit.of;
    const past = new Date(Date.now() - 1_000);
    const key = database.updateTable('deploy_key').where('id', '=', declared.deployKey.id);
    await key.set({ remove_again_at: past }).execute();
    assert.equal(await finishRemovals(given().context, signal), 1);
    assert.equal((await given().admin.call('GET', path)).status, 404);
    assert.equal(given().github.repository(declared.repository).keys.size, 0);
  });
});
