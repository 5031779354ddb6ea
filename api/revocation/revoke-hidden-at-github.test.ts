import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { removeRetiredKeys } from '../deploy-keys/retired-keys.ts';
import { removeRetiredHooks } from '../hook-bindings/retired-hooks.ts';
import { type Declared, notFound, revokingAtGithub } from './revoking-at-github-for-tests.ts';

const signal = AbortSignal.timeout(300_000);

describe('revoking what GitHub hides', () => {
  const { given, declare, hide, revoke, told } = revokingAtGithub(signal);

  /** Deletes key and hook of their own while the repository is hidden. */
  const declareAndDelete = async () => {
    delete given().github.limit.of;
    const declared = await declare();
    hide();
    for (const path of [`deploy-keys/${declared.deployKey.id}`, `hook-bindings/${declared.binding.id}`]) {
      assert.equal((await given().admin.call('DELETE', `/v1/${path}`)).status, 204);
      assert.equal((await given().admin.call('GET', `/v1/${path}`)).status, 404);
    }
    return declared;
  };
  const leftAt = ({ repository }: Declared) => {
    const { keys, hooks } = given().github.repository(repository);
    return [keys.size, hooks.size];
  };

  test('a repository that is hidden from the credential is not said to be empty: the receipt names what may remain and where', async () => {
    const hidden = await declare();
    hide();
    const { status, body } = await revoke(hidden.project);
    assert.equal(status, 200, body.detail);
    const { keys, hooks } = given().github.repository(hidden.repository);
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
      await removeRetiredKeys(given().context, signal),
      await removeRetiredHooks(given().context, signal),
    ];
    assert.deepEqual(await clear(), [0, 0], 'not forgotten while it is hidden');
    delete given().github.limit.of;
    assert.deepEqual(await clear(), [1, 1]);
    assert.deepEqual(leftAt(shown), [0, 0]);
    const finished = await revoke(shown.project);
    assert.doesNotMatch(await told(finished.body.receipt_id), /NOT CONFIRMED/);
  });

  test('declaring a key or hook again while GitHub hides the repository forgets none that is there', async () => {
    const declared = await declare();
    hide();
    for (const path of ['/v1/deploy-keys', '/v1/hook-bindings']) {
      const { status, body } = await given().admin.call('POST', path, { project_id: declared.project.id });
      assert.deepEqual([status, body.code], [422, 'repository_not_found'], path);
    }
    delete given().github.limit.of;
    assert.equal((await revoke(declared.project)).status, 200);
    assert.deepEqual(leftAt(declared), [0, 0]);
  });

  test('a repository that is shown again before the confirmation is looked into', async () => {
    const declared = await declare();
    let hidden = true;
    given().github.limit.of = (method, path) => {
      if (method === 'DELETE' && /\/keys\//.test(path)) hidden = false;
      return hidden && /\/hooks/.test(path) ? notFound : undefined;
    };
    const { body } = await revoke(declared.project);
    assert.equal(given().github.repository(declared.repository).hooks.size, 0);
    assert.doesNotMatch(await told(body.receipt_id), /NOT CONFIRMED/);
  });
});
