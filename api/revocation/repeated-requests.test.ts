import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPostgres } from '../../test/postgres.ts';
import { type Client, created, signIn } from '../test-client.ts';
import { openTestContext, type TestContext } from '../test-context.ts';

// Enough that requests come while every kind of step is under way.
const projectCount = 12;
const repeats = 10;

// PGlite has one connection, on which nothing waits for anything: only a server shows who waits for whom.
describe('a request to revoke that is repeated while the work goes on, on a PostgreSQL server', () => {
  let postgres: Awaited<ReturnType<typeof startPostgres>>;
  let given: TestContext;
  let admin: Client;
  let connection: string;
  let projects: string[];
  let count = 0;
  before(async () => {
    postgres = await startPostgres();
    given = await openTestContext({ url: postgres.url });
    admin = await signIn(given, given.keys.admin);
  });
  after(async () => {
    await given.close();
    await postgres.close();
  });
  beforeEach(async () => {
    count += 1;
    ({ id: connection } = await created(admin, '/v1/connections', { name: `host-${count}`, kind: 'local' }));
    projects = [];
    for (let index = 0; index < projectCount; index += 1) {
      const name = `shop-${count}-${index}`;
      await given.createRepository(name);
      const declared = { connection_id: connection, name, repository: name };
      const { id } = await created(admin, '/v1/projects', declared);
      await created(admin, '/v1/deploy-keys', { project_id: id });
      projects.push(id);
    }
  });

  /** Asks again and again without waiting for the answers, then until the work is done. */
  async function repeat(path: string, body: object): Promise<void> {
    const answers: ReturnType<Client['call']>[] = [];
    for (let asked = 0; asked < repeats; asked += 1) {
      answers.push(admin.call('POST', path, body));
      await sleep(100);
    }
    for (const { status, text } of await Promise.all(answers))
      assert.ok(status === 200 || status === 202, text);
    for (let state = ''; state !== 'finished'; ) ({ state } = (await admin.call('POST', path, body)).body);
  }

  async function assertRevokedSmoothly(): Promise<void> {
    const { body } = await admin.call('GET', '/v1/revocations?limit=200&open=true');
    assert.deepEqual(body.items, []);
    assert.doesNotMatch(given.logged(), /deadlock|stays open/);
  }

  test('of a connection ends in every answer with the receipt, and nobody waits for anybody for ever', async () => {
    await repeat(`/v1/connections/${connection}/revoke`, {});
    await assertRevokedSmoothly();
  });

  test('so does one of a team whose projects and connection are being revoked already', async () => {
    const started = projects.slice(0, 8).map((id) => admin.call('POST', `/v1/projects/${id}/revoke`));
    started.push(admin.call('POST', `/v1/connections/${connection}/revoke`));
    await repeat('/v1/team/revoke', { name: 'acme', removed_by_hand: true });
    for (const { status, text } of await Promise.all(started))
      assert.ok(status === 200 || status === 202, text);
    await assertRevokedSmoothly();
  });
});
