import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { describeApi } from '../../test/describe-api.ts';
import { type Client, declareProject, signIn } from '../test-client.ts';
import { openCredential, sealCredential } from './credential.ts';

const hostKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl';

describeApi('connections', (given) => {
  let admin: Client;
  let count = 0;
  before(async () => {
    admin = await signIn(given(), given().keys.admin);
  });
  const create = (more: object) =>
    admin.call('POST', '/v1/connections', { name: `host-${++count}x`, kind: 'local', ...more });

  test('a connection shows what was declared and the pinned keys of its host', async () => {
    const { status, body } = await create({});
    assert.equal(status, 201);
    assert.equal(body.url, undefined);
    assert.match(body.host_keys[0], /^ssh-ed25519 \S+$/);
    assert.deepEqual((await admin.call('GET', `/v1/connections/${body.id}`)).body, body);
  });

  test('what a kind of host needs or cannot use is told at its attribute', async () => {
    const app = { app_id: '1', installation_id: '2', private_key: 'x' };
    const cases = [
      [{ token: 'x' }, 'token', /no meaning.*Remove it/],
      [{ url: 'https://example.com' }, 'url', /no meaning/],
      [{ kind: 'github' }, 'token', /needs a credential: token; or app_id, installation_id, private_key/],
      [{ kind: 'github', token: 'x', ...app }, 'token', /Two credentials/],
      [{ kind: 'github', app_id: '1', installation_id: '2' }, 'private_key', /together/],
      [{ kind: 'github', token: 'x', url: 'http://git.example.com' }, 'url', /Use https/],
      [{ kind: 'github', url: 'https://me:x@git.example.com', token: 'x' }, 'url', /form/],
      [{ kind: 'gitlab', token: 'x' }, 'ssh_host_keys', /missing/],
      [
        { kind: 'gitlab', token: 'x', ssh_host_keys: ['AAAA nonsense and more'] },
        'ssh_host_keys/0',
        /OpenSSH format/,
      ],
      [{ kind: 'gitlab', token: 'x', ssh_host_keys: [hostKey], ...app }, 'app_id', /no meaning/],
      [{ kind: 'gitea', token: 'x', ssh_host_keys: [hostKey] }, 'url', /missing/],
      [{ kind: 'sourceforge' }, 'kind', /one of/],
    ] as const;
    for (const [more, field, detail] of cases) {
      const { status, body } = await create(more);
      assert.equal(status, 422, JSON.stringify(more));
      const at = body.errors.find(({ pointer }: { pointer: string }) => pointer === `#/${field}`);
      assert.match(at?.detail ?? JSON.stringify(body), detail);
    }
  });

  test('a kind that this installation does not serve is refused with those it serves', async () => {
    const { status, body } = await create({
      kind: 'gitea',
      url: 'https://git.example.com',
      token: 'x',
      ssh_host_keys: [hostKey],
    });
    assert.equal(status, 422);
    assert.match(body.errors[0].detail, /not served by this installation of Ebb. It serves: local/);
  });

  test('a name is taken once in a team', async () => {
    const { body } = await create({});
    const again = await create({ name: body.name });
    assert.deepEqual([again.status, again.body.code], [409, 'name_taken']);
    assert.match(again.body.detail, /terraform import ebb_connection\.NAME \S+\/\S+\)/);
  });

  test('a connection that has projects stays until they are destroyed', async () => {
    const project = await declareProject(given(), admin);
    const url = `/v1/connections/${project.connectionId}`;
    const refused = await admin.call('DELETE', url);
    assert.deepEqual([refused.status, refused.body.code], [409, 'connection_in_use']);
    await admin.call('DELETE', `/v1/projects/${project.id}`);
    assert.equal((await admin.call('DELETE', url)).status, 204);
    assert.equal((await admin.call('GET', url)).status, 404);
  });

  test('a change is refused like a creation, and an empty one changes nothing', async () => {
    const { body } = await create({});
    const url = `/v1/connections/${body.id}`;
    assert.equal((await admin.call('PATCH', url, { token: 'x' })).status, 422);
    assert.deepEqual((await admin.call('PATCH', url, {})).body, body);
    const stale = await admin.call('PATCH', url, {}, { 'if-match': '"other"' });
    assert.equal(stale.status, 412);
  });

  test('a sealed credential opens for its own connection only', async () => {
    const { custody } = given().context;
    const sealed_credential = await sealCredential(custody, 'conn_a', 'hush');
    assert.ok(!sealed_credential.includes('hush'));
    const opened = await openCredential(custody, { connection_id: 'conn_a', sealed_credential });
    assert.equal(opened.toString(), 'hush');
    await assert.rejects(
      openCredential(custody, { connection_id: 'conn_b', sealed_credential }),
      /cannot be opened/,
    );
    const cut = sealed_credential.slice(0, -2);
    await assert.rejects(
      openCredential(custody, { connection_id: 'conn_a', sealed_credential: cut }),
      /cannot be opened/,
    );
    await assert.rejects(
      openCredential(custody, { connection_id: 'conn_a', sealed_credential: null }),
      /no credential/,
    );
  });
});
