import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { continueRevocation } from './continue-revocation.ts';
import { openRevocation } from './open-revocation.ts';
import { revokingAtGithub } from './revoking-at-github-for-tests.ts';

const signal = AbortSignal.timeout(300_000);

describe('revoking a connection to GitHub', () => {
  const { given, declare, hide, revoke, revocationOf, resume, told, wrappedKey } = revokingAtGithub(signal);

  test('revoking a connection that does not see a repository says so in its receipt, and in the one of the project', async () => {
    const hidden = await declare();
    hide();
    const path = `/v1/connections/${hidden.connection.id}/revoke`;
    const { status, body } = await given().admin.call('POST', path);
    assert.equal(status, 200, body.detail);
    assert.match(await told(body.receipt_id), new RegExp(`NOT CONFIRMED BY EBB.*${hidden.name}`));
    const { receipt_id } = await revocationOf(hidden.project);
    assert.match(await told(receipt_id), /NOT CONFIRMED BY EBB.*SHA256:/);
  });

  test('revoking a connection revokes its projects and destroys its credential, with a receipt that names theirs', async () => {
    const declared = await declare();
    const second = await declare();
    const { database } = given().context;
    const { connection } = declared;
    const move = database.updateTable('project').set({ connection_id: connection.id });
    await move.where('id', '=', second.project.id).execute();
    const { status, body } = await given().admin.call('POST', `/v1/connections/${connection.id}/revoke`);
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
    const parts = await given().admin.call('GET', `/v1/revocations?within=${body.id}`);
    assert.equal(parts.body.items.length, 2);
    const again = await given().admin.call('POST', `/v1/connections/${connection.id}/revoke`);
    assert.equal(again.body.receipt_id, body.receipt_id);
  });

  test('a connection whose host is down keeps its credential until the keys are gone, but no secret of a project', async () => {
    const declared = await declare();
    given().github.limit.of = () => ({ status: 502 });
    const path = `/v1/connections/${declared.connection.id}/revoke`;
    const held = await given().admin.call('POST', path);
    assert.equal(held.body.code, 'source_host_unreachable');
    assert.equal(await wrappedKey(declared), null);
    const project = { connection_id: declared.connection.id, name: 'late', repository: declared.repository };
    delete given().github.limit.of;
    assert.equal((await given().admin.call('POST', '/v1/projects', project)).body.code, 'connection_revoked');
    await resume();
    assert.equal((await revocationOf(declared.project)).state, 'finished');
    assert.equal((await given().admin.call('POST', path)).status, 200);
  });

  test('a connection that is being revoked is not deleted beside it; what breaks then is told, and it finishes later', async () => {
    const declared = await declare();
    await revoke(declared.project);
    const { id } = declared.connection;
    const asked = { kind: 'connection', subject: id, by: 'key_test' } as const;
    const opened = await openRevocation(given().context, asked);
    assert.ok(opened);
    const deleted = await given().admin.call('DELETE', `/v1/connections/${id}`);
    assert.equal(deleted.status, 409);
    assert.equal(deleted.body.code, 'connection_revoked');

    const of = () => {
      throw new Error('broken');
    };
    const broken = { ...given().context, sourceHosts: { ...given().context.sourceHosts, of } };
    await assert.rejects(continueRevocation(broken, opened, signal), /broken/);
    const { body: held } = await given().admin.call('GET', `/v1/revocations/${opened.id}`);
    assert.deepEqual([held.state, held.obstacle.code], ['held_up', 'internal_error']);
    await resume();
    const { body: done } = await given().admin.call('GET', `/v1/revocations/${opened.id}`);
    assert.equal(done.state, 'finished');
    assert.doesNotMatch(await told(done.receipt_id), /It had no credential/);
  });
});
