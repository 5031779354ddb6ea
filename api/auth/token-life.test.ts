import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { describeApi } from '../../test/describe-api.ts';
import { type Client, requestToken, send, signIn } from '../test-client.ts';

describeApi('the life of a token', (given) => {
  let admin: Client;
  before(async () => {
    admin = await signIn(given(), given().keys.admin);
  });
  const post = (path: string, token: string) =>
    send(given(), {
      ...{ method: 'POST', url: path, payload: new URLSearchParams({ token }).toString() },
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
  const revoke = (token: string) => post('/v1/token/revoke', token);
  const renew = (token: string) => post('/v1/token/renew', token);
  const works = async ({ call }: Client) => (await call('GET', '/v1/projects')).status === 200;
  const renewable = () => signIn(given(), given().keys.admin, { scope: 'projects:read', renewable: 'true' });
  /** As if so many minutes had passed. */
  const wait = async (minutes: number) => {
    const rows = await given().context.database.selectFrom('token_end').selectAll().execute();
    for (const { id, ends_at } of rows) {
      const earlier = new Date(ends_at.getTime() - minutes * 60_000);
      await given()
        .context.database.updateTable('token_end')
        .set({ ends_at: earlier })
        .where('id', '=', id)
        .execute();
    }
  };

  test('a revoked token is dead at once, others of the same key are not, and the team reads of it', async () => {
    const client = await signIn(given(), given().keys.admin);
    assert.ok(await works(client));
    for (let time = 0; time < 2; time += 1) {
      const { status, headers } = await revoke(client.token);
      assert.deepEqual([status, headers['cache-control']], [200, 'no-store']);
      assert.ok(!(await works(client)));
    }
    assert.equal((await client.call('GET', '/v1/projects')).body.code, 'token_revoked');
    assert.ok(await works(admin));
    const { body } = await admin.call('GET', '/v1/audit-events?limit=100');
    const id = JSON.parse(Buffer.from(client.token.split('.')[1] ?? '', 'base64url').toString()).jti;
    const of = body.items.filter(({ detail }: { detail: { token?: string } }) => detail.token === id);
    assert.deepEqual(
      of.map(({ action }: { action: string }) => action),
      ['token.revoked', 'token.issued'],
    );
  });

  test('revoking what is no token is answered alike and changes nothing', async () => {
    const [head, body] = admin.token.split('.');
    for (const token of ['nonsense', `${head}.${body}.${'A'.repeat(86)}`]) {
      assert.equal((await revoke(token)).status, 200);
    }
    assert.ok(await works(admin));
    assert.equal((await revoke('x'.repeat(9_000))).status, 400);
  });

  test('a renewable token lasts as long as it is renewed, and no longer', async () => {
    const client = await renewable();
    const lapsed = await renewable();
    await wait(14);
    assert.ok(await works(client));
    const renewed = await renew(client.token);
    assert.deepEqual([renewed.status, renewed.body], [200, { expires_in: 900 }]);
    await wait(10);
    assert.ok(await works(client));
    assert.ok(!(await works(lapsed)));
    const late = await renew(lapsed.token);
    assert.deepEqual([late.status, late.body.error], [400, 'invalid_request']);
    assert.ok(!(await works(lapsed)), 'what has ended does not begin again');
    await revoke(client.token);
    assert.equal((await renew(client.token)).status, 400);
    assert.ok(!(await works(client)));
  });

  test('a token that was not asked for as renewable is not renewed', async () => {
    const { status, body } = await renew(admin.token);
    assert.equal(status, 400);
    assert.match(body.error_description, /no token that can be renewed/);
    assert.equal(
      (await requestToken(given(), { client_secret: given().keys.admin, renewable: 'yes' })).status,
      400,
    );
  });
});
