import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { describeReceipt, verifyReceipt } from '../../cli/verify/verify-receipt.ts';
import { claimBuild } from '../builds/claim-build.ts';
import { removeRetiredKeys } from '../deploy-keys/retired-keys.ts';
import { removeRetiredHooks } from '../hook-bindings/retired-hooks.ts';
import { finishRemovals } from '../reconciler/finish-removals.ts';
import { noticeRemovals } from '../reconciler/notice-removals.ts';
import {
  declareAtGithub,
  type GithubContext,
  openGithubContext,
} from '../source-hosts/github/github-project-for-tests.ts';
import { commit } from '../test-client.ts';
import { beginAttempt } from './attempt.ts';
import { continueRevocation } from './continue-revocation.ts';
import { openRevocation } from './open-revocation.ts';
import { resumeRevocations } from './resume-revocations.ts';

type Declared = Awaited<ReturnType<typeof declareAtGithub>>;

describe('revoking at GitHub', () => {
  const signal = AbortSignal.timeout(300_000);
  let given: GithubContext;
  before(async () => {
    given = await openGithubContext();
  });
  afterEach(() => {
    delete given.github.limit.of;
    given.github.token.revoked = false;
  });
  after(async () => {
    await given.close();
    assert.deepEqual(given.github.violations, []);
  });

  const docs = { documentation_url: 'https://docs.github.com/rest' };
  const archived = {
    status: 403,
    body: { message: 'Repository was archived so is read-only.', ...docs },
  };
  const refuseRemovals = () => {
    given.github.limit.of = (method) => (method === 'DELETE' ? archived : undefined);
  };
  const revoke = (project: { id: string }, body?: object) =>
    given.admin.call('POST', `/v1/projects/${project.id}/revoke`, body);
  const revocationOf = async (project: { id: string }) => {
    const { body } = await given.admin.call('GET', '/v1/revocations?limit=200');
    return body.items.find(({ subject }: { subject: string }) => subject === project.id);
  };
  /** As if the time until the next try had passed. */
  const resume = async () => {
    const past = new Date(Date.now() - 1_000);
    await given.context.database.updateTable('revocation').set({ next_try_at: past }).execute();
    await resumeRevocations(given.context, signal);
  };
  const told = async (receiptId: string): Promise<string> => {
    const { body } = await given.admin.call('GET', `/v1/receipts/${receiptId}`);
    const verdict = verifyReceipt({ envelope: body.envelope, jwks: given.context.signer.jwks() });
    assert.ok(verdict.ok, verdict.ok ? '' : verdict.problem);
    return describeReceipt(verdict.statement).join('\n');
  };
  const removeByHand = ({ repository }: Declared) => {
    const { keys, hooks } = given.github.repository(repository);
    keys.clear();
    hooks.clear();
  };
  const wrappedKey = async ({ project }: Declared) =>
    (
      await given.context.database
        .selectFrom('project')
        .select('wrapped_private_key')
        .where('id', '=', project.id)
        .executeTakeFirstOrThrow()
    ).wrapped_private_key;
  const audited = async (subject: string): Promise<string[]> => {
    const { body } = await given.admin.call('GET', `/v1/audit-events?limit=100&subject=${subject}`);
    return body.items.map(({ action }: { action: string }) => action).reverse();
  };

  test('a refusal destroys the secrets at once and says in words what to remove by hand and where; it finishes when that is done', async () => {
    const declared = await declareAtGithub(given);
    refuseRemovals();
    const refused = await revoke(declared.project);
    assert.equal(refused.status, 503);
    assert.equal(refused.body.code, 'source_host_refused');
    const { body: key } = await given.admin.call('GET', `/v1/deploy-keys?project_id=${declared.project.id}`);
    assert.deepEqual(key.items, [], 'it is not offered any more');
    for (const method of ['GET', 'DELETE'] as const) {
      for (const path of [`deploy-keys/${declared.deployKey.id}`, `hook-bindings/${declared.binding.id}`]) {
        const { status, body } = await given.admin.call(method, `/v1/${path}`);
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
    assert.equal(await resumeRevocations(given.context, signal), 0, 'not before the next try is due');

    removeByHand(declared);
    await resume();
    const done = await revocationOf(declared.project);
    assert.equal(done.state, 'finished');
    assert.equal((await given.admin.call('GET', `/v1/deploy-keys/${declared.deployKey.id}`)).status, 404);
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
    const declared = await declareAtGithub(given);
    refuseRemovals();
    await revoke(declared.project);
    const hour = new Date(Date.now() - 3 * 3_600_000).toISOString();
    const { obstacle } = await revocationOf(declared.project);
    await given.context.database
      .updateTable('revocation')
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
    delete given.github.limit.of;
    await resume();
    assert.equal((await revocationOf(declared.project)).state, 'finished');
  });

  test('with a credential that GitHub does not take, a new one lets it finish', async () => {
    const declared = await declareAtGithub(given);
    given.github.token.revoked = true;
    const refused = await revoke(declared.project);
    assert.equal(refused.body.code, 'source_host_refused');
    assert.match(refused.body.detail, /Give the connection a new one/);
    given.github.token.revoked = false;
    const path = `/v1/connections/${declared.connection.id}`;
    assert.equal((await given.admin.call('PATCH', path, { token: given.github.token.value })).status, 200);
    const { status, body } = await revoke(declared.project);
    assert.equal(status, 200);
    assert.match(await told(body.receipt_id), /Removed at the source host/);
    assert.equal(given.github.repository(declared.repository).keys.size, 0);
  });

  test('what a person states to have removed counts only where GitHub does not let Ebb see, and the receipt says whose word it is', async () => {
    const blind = await declareAtGithub(given);
    given.github.token.revoked = true;
    const finished = await revoke(blind.project, { removed_by_hand: true });
    assert.equal(finished.status, 200);
    const words = await told(finished.body.receipt_id);
    assert.match(words, /NOT CONFIRMED BY EBB/);
    assert.match(words, new RegExp(`${finished.body.requested_by} stated`));

    given.github.token.revoked = false;
    const seen = await declareAtGithub(given);
    const { body } = await revoke(seen.project, { removed_by_hand: true });
    assert.doesNotMatch(await told(body.receipt_id), /NOT CONFIRMED/);
    assert.equal(given.github.repository(seen.repository).keys.size, 0);
  });

  test('a repository that is gone holds nothing up; nor does one that was renamed', async () => {
    const gone = await declareAtGithub(given);
    given.github.remove(gone.repository);
    const { status, body } = await revoke(gone.project);
    assert.equal(status, 200);
    assert.match(await told(body.receipt_id), /NOT CONFIRMED BY EBB.*it was deleted, or it is hidden/);
    const renamed = await declareAtGithub(given);
    given.github.rename(renamed.repository, `${renamed.repository}-new`);
    assert.equal((await revoke(renamed.project)).status, 200);
    const { keys, hooks } = given.github.repository(`${renamed.repository}-new`);
    assert.deepEqual([keys.size, hooks.size], [0, 0]);
  });

  test('a repository that is hidden from the credential is not said to be empty: the receipt names what may remain and where', async () => {
    const hidden = await declareAtGithub(given);
    given.github.limit.of = () => ({ status: 404, body: { message: 'Not Found', ...docs } });
    const { status, body } = await revoke(hidden.project);
    assert.equal(status, 200, body.detail);
    const { keys, hooks } = given.github.repository(hidden.repository);
    assert.deepEqual([keys.size, hooks.size], [1, 1], 'they are still there');
    const words = await told(body.receipt_id);
    assert.doesNotMatch(words, /Already gone|has neither/);
    const page = `https://github.com/${hidden.repository}/settings`;
    const [line] = words.split('\n').filter((one) => one.includes('NOT CONFIRMED BY EBB'));
    for (const named of ['SHA256:', hidden.binding.id, `${page}/keys`, `${page}/hooks`]) {
      assert.ok(line?.includes(named), `${named}: ${words}`);
    }
    assert.deepEqual(body.remaining, []);
  });

  test('revoking a connection that does not see a repository says so in its receipt, and in the one of the project', async () => {
    const hidden = await declareAtGithub(given);
    given.github.limit.of = () => ({ status: 404, body: { message: 'Not Found', ...docs } });
    const path = `/v1/connections/${hidden.connection.id}/revoke`;
    const { status, body } = await given.admin.call('POST', path);
    assert.equal(status, 200, body.detail);
    assert.match(await told(body.receipt_id), new RegExp(`NOT CONFIRMED BY EBB.*${hidden.name}`));
    const { receipt_id } = await revocationOf(hidden.project);
    assert.match(await told(receipt_id), /NOT CONFIRMED BY EBB.*SHA256:/);
  });

  const hide = () => {
    given.github.limit.of = () => ({ status: 404, body: { message: 'Not Found', ...docs } });
  };
  /** Deletes key and hook of their own while the repository is hidden. */
  const declareAndDelete = async () => {
    delete given.github.limit.of;
    const declared = await declareAtGithub(given);
    hide();
    for (const path of [`deploy-keys/${declared.deployKey.id}`, `hook-bindings/${declared.binding.id}`]) {
      assert.equal((await given.admin.call('DELETE', `/v1/${path}`)).status, 204);
      assert.equal((await given.admin.call('GET', `/v1/${path}`)).status, 404);
    }
    return declared;
  };
  const leftAt = ({ repository }: Declared) => {
    const { keys, hooks } = given.github.repository(repository);
    return [keys.size, hooks.size];
  };

  test('a key and hook that were deleted while GitHub hid their repository are named by the receipt, unless they were seen to go', async () => {
    const hidden = await declareAndDelete();
    const { body } = await revoke(hidden.project);
    assert.deepEqual(leftAt(hidden), [1, 1]);
    const words = await told(body.receipt_id);
    assert.match(words, /NOT CONFIRMED BY EBB/);
    for (const named of [hidden.deployKey.fingerprint, hidden.binding.url])
      assert.ok(words.includes(named), `${named}: ${words}`);

    const shown = await declareAndDelete();
    const clear = async () => [
      await removeRetiredKeys(given.context, signal),
      await removeRetiredHooks(given.context, signal),
    ];
    assert.deepEqual(await clear(), [0, 0], 'not forgotten while it is hidden');
    delete given.github.limit.of;
    assert.deepEqual(await clear(), [1, 1]);
    assert.deepEqual(leftAt(shown), [0, 0]);
    const finished = await revoke(shown.project);
    assert.doesNotMatch(await told(finished.body.receipt_id), /NOT CONFIRMED/);
  });

  test('declaring a key or hook again while GitHub hides the repository forgets none that is there', async () => {
    const declared = await declareAtGithub(given);
    hide();
    for (const path of ['/v1/deploy-keys', '/v1/hook-bindings']) {
      const { status, body } = await given.admin.call('POST', path, { project_id: declared.project.id });
      assert.deepEqual([status, body.code], [422, 'repository_not_found'], path);
    }
    delete given.github.limit.of;
    assert.equal((await revoke(declared.project)).status, 200);
    assert.deepEqual(leftAt(declared), [0, 0]);
  });

  test('a repository that is shown again before the confirmation is looked into', async () => {
    const declared = await declareAtGithub(given);
    let hidden = true;
    given.github.limit.of = (method, path) => {
      if (method === 'DELETE' && /\/keys\//.test(path)) hidden = false;
      return hidden && /\/hooks/.test(path)
        ? { status: 404, body: { message: 'Not Found', ...docs } }
        : undefined;
    };
    const { body } = await revoke(declared.project);
    assert.equal(given.github.repository(declared.repository).hooks.size, 0);
    assert.doesNotMatch(await told(body.receipt_id), /NOT CONFIRMED/);
  });

  test('no statement counts against what GitHub shows: an archived repository keeps the revocation open', async () => {
    const declared = await declareAtGithub(given);
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
    const declared = await declareAtGithub(given);
    given.github.limit.of = () => ({ status: 502 });
    const down = await revoke(declared.project);
    assert.equal(down.status, 503);
    assert.equal(down.body.code, 'source_host_unreachable');
    assert.equal(down.headers['retry-after'], '10');
    assert.equal(await wrappedKey(declared), null);
    delete given.github.limit.of;
    await resume();
    const { keys, hooks } = given.github.repository(declared.repository);
    assert.deepEqual([keys.size, hooks.size], [0, 0]);
    const { steps } = await revocationOf(declared.project);
    const waited = steps.find(({ step }: { step: string }) => step === 'hook_removed');
    assert.equal(waited.measured_by, 'recorded_times');
  });

  test('a removal whose answer is cut off is looked for, not believed', async () => {
    const declared = await declareAtGithub(given);
    given.github.fail({ method: 'DELETE', how: 'cut-off' });
    assert.equal((await revoke(declared.project)).status, 200);
    const { keys, hooks } = given.github.repository(declared.repository);
    assert.deepEqual([keys.size, hooks.size], [0, 0]);
  });

  test('a key and a hook that somebody adds again between removal and confirmation are found and removed', async () => {
    const declared = await declareAtGithub(given);
    const { keys, hooks } = given.github.repository(declared.repository);
    const [[, key] = []] = keys;
    const [[, hook] = []] = hooks;
    assert.ok(key && hook);
    let looks = 0;
    let hooksBack = 0;
    given.github.limit.of = (method, path) => {
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

  test('revoking a connection revokes its projects and destroys its credential, with a receipt that names theirs', async () => {
    const declared = await declareAtGithub(given);
    const second = await declareAtGithub(given);
    const { database } = given.context;
    const { connection } = declared;
    const move = database.updateTable('project').set({ connection_id: connection.id });
    await move.where('id', '=', second.project.id).execute();
    const { status, body } = await given.admin.call('POST', `/v1/connections/${connection.id}/revoke`);
    assert.equal(status, 200, body.detail);
    const words = await told(body.receipt_id);
    for (const { project, name } of [declared, second]) {
      const { receipt_id } = await revocationOf(project);
      assert.ok(words.includes(`project ${name} (${project.id}): receipt ${receipt_id}`), words);
      await told(receipt_id);
    }
    const row = await database
      .selectFrom('connection')
      .select(['sealed_credential', 'deleted_at'])
      .where('id', '=', connection.id)
      .executeTakeFirstOrThrow();
    assert.equal(row.sealed_credential, null);
    assert.ok(row.deleted_at);
    const parts = await given.admin.call('GET', `/v1/revocations?within=${body.id}`);
    assert.equal(parts.body.items.length, 2);
    const again = await given.admin.call('POST', `/v1/connections/${connection.id}/revoke`);
    assert.equal(again.body.receipt_id, body.receipt_id);
  });

  test('a connection whose host is down keeps its credential until the keys are gone, but no secret of a project', async () => {
    const declared = await declareAtGithub(given);
    given.github.limit.of = () => ({ status: 502 });
    const path = `/v1/connections/${declared.connection.id}/revoke`;
    const held = await given.admin.call('POST', path);
    assert.equal(held.body.code, 'source_host_unreachable');
    assert.equal(await wrappedKey(declared), null);
    const project = { connection_id: declared.connection.id, name: 'late', repository: declared.repository };
    delete given.github.limit.of;
    assert.equal((await given.admin.call('POST', '/v1/projects', project)).body.code, 'connection_revoked');
    await resume();
    assert.equal((await revocationOf(declared.project)).state, 'finished');
    assert.equal((await given.admin.call('POST', path)).status, 200);
  });

  test('a connection that is being revoked is not deleted beside it; what breaks then is told, and it finishes later', async () => {
    const declared = await declareAtGithub(given);
    await revoke(declared.project);
    const { id } = declared.connection;
    const asked = { kind: 'connection', subject: id, by: 'key_test' } as const;
    const opened = await openRevocation(given.context, asked);
    assert.ok(opened);
    const deleted = await given.admin.call('DELETE', `/v1/connections/${id}`);
    assert.equal(deleted.status, 409);
    assert.equal(deleted.body.code, 'connection_revoked');

    const of = () => {
      throw new Error('broken');
    };
    const broken = { ...given.context, sourceHosts: { ...given.context.sourceHosts, of } };
    await assert.rejects(continueRevocation(broken, opened, signal), /broken/);
    const { body: held } = await given.admin.call('GET', `/v1/revocations/${opened.id}`);
    assert.deepEqual([held.state, held.obstacle.code], ['held_up', 'internal_error']);
    await resume();
    const { body: done } = await given.admin.call('GET', `/v1/revocations/${opened.id}`);
    assert.equal(done.state, 'finished');
    assert.doesNotMatch(await told(done.receipt_id), /It had no credential/);
  });

  test('what held an earlier attempt up holds nothing up while a later one is at work', async () => {
    const declared = await declareAtGithub(given);
    refuseRemovals();
    await revoke(declared.project);
    assert.equal((await revocationOf(declared.project)).state, 'held_up');
    const { id } = await revocationOf(declared.project);
    await beginAttempt(given.context, id);
    const during = await revocationOf(declared.project);
    assert.equal(during.state, 'going_on');
    assert.equal(during.obstacle.attempt, 1, 'it is still told, as of then');
    delete given.github.limit.of;
    assert.equal((await revoke(declared.project)).status, 200);
  });

  describe('a deploy key or hook that somebody removes there by hand', () => {
    const notice = async () => {
      for (const table of ['deploy_key', 'hook_binding'] as const) {
        const looked_at = new Date(Date.now() - 600_000);
        await given.context.database.updateTable(table).set({ looked_at }).execute();
      }
      while ((await noticeRemovals(given.context, signal)) > 0);
    };
    const stateOf = async (path: string, project: { id: string }) => {
      const { body } = await given.admin.call('GET', `${path}?project_id=${project.id}`);
      return body.items[0].state;
    };

    test('is noticed without anybody asking, shown, audited once, and ends queued builds with the reason', async () => {
      const declared = await declareAtGithub(given);
      await notice();
      assert.equal(await stateOf('/v1/deploy-keys', declared.project), 'active');
      await commit(declared.folder);
      const queued = await given.admin.call('POST', '/v1/builds', { project_id: declared.project.id });
      assert.equal(queued.status, 201, queued.text);
      removeByHand(declared);
      await notice();
      await notice();
      const runner = { keyId: 'key_runner', teamId: '', scopes: [] };
      await assert.rejects(claimBuild(given.context, runner, queued.body.id, 'lease'), {
        code: 'cannot_build',
      });
      const ended = await given.admin.call('GET', `/v1/builds/${queued.body.id}`);
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
      const read = await given.admin.call('GET', `/v1/deploy-keys/${declared.deployKey.id}`);
      assert.equal(read.status, 404, 'Terraform plans it anew');
      assert.equal(read.body.code, 'revoked_at_source_host');
    });

    test('is itself again when it is back under another id', async () => {
      const declared = await declareAtGithub(given);
      const { keys } = given.github.repository(declared.repository);
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
      const read = await given.admin.call('GET', `/v1/deploy-keys/${declared.deployKey.id}`);
      assert.equal(read.body.source_host_id, '900003');
    });

    test('is not believed to be gone because GitHub is down or hides the repository', async () => {
      const declared = await declareAtGithub(given);
      given.github.limit.of = () => ({ status: 404, body: { message: 'Not Found', ...docs } });
      await notice();
      given.github.limit.of = () => ({ status: 502 });
      await notice();
      assert.equal(await stateOf('/v1/deploy-keys', declared.project), 'active');
    });
  });

  test('deleting a deploy key that GitHub holds on to destroys its private half, says what to remove, and is finished later', async () => {
    const declared = await declareAtGithub(given);
    refuseRemovals();
    const path = `/v1/deploy-keys/${declared.deployKey.id}`;
    const refused = await given.admin.call('DELETE', path);
    assert.equal(refused.status, 422);
    assert.match(refused.body.detail, /private half is destroyed.*SHA256:.*settings\/keys/);
    const { database } = given.context;
    const row = await database
      .selectFrom('deploy_key')
      .select('sealed_private_key')
      .where('id', '=', declared.deployKey.id)
      .executeTakeFirstOrThrow();
    assert.equal(row.sealed_private_key, '');
    assert.equal((await given.admin.call('GET', path)).body.state, 'removing');
    delete given.github.limit.of;
    const past = new Date(Date.now() - 1_000);
    const key = database.updateTable('deploy_key').where('id', '=', declared.deployKey.id);
    await key.set({ remove_again_at: past }).execute();
    assert.equal(await finishRemovals(given.context, signal), 1);
    assert.equal((await given.admin.call('GET', path)).status, 404);
    assert.equal(given.github.repository(declared.repository).keys.size, 0);
  });
});
