import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { sql } from 'kysely';
import { verifyAudit } from '../../cli/verify/verify-audit.ts';
import { describeApi } from '../../test/describe-api.ts';
import { addTeam, type Client, send, signIn } from '../test-client.ts';
import { currentAuditHead } from './audit-store.ts';
import { recordAudit } from './record-audit.ts';

describeApi('the audit trail', (given) => {
  let client: Client;
  let teamId: string;
  before(async () => {
    ({ client, teamId } = await newTeam());
  });

  let teams = 0;
  async function newTeam() {
    const name = `crew-${++teams}`;
    const client = await signIn(given(), await addTeam(given(), name));
    const { id } = await given()
      .context.database.selectFrom('team')
      .select('id')
      .where('name', '=', name)
      .executeTakeFirstOrThrow();
    return { client, teamId: id };
  }

  const event = (subject: string, detail: Record<string, unknown> = {}) => ({
    ...{ teamId, action: 'test.happened', actor: 'ebb', subject, detail },
  });
  const exportLines = async (by = client) => {
    const { status, text, headers } = await by.call('GET', '/v1/audit-events/export');
    assert.equal(status, 200, text);
    assert.equal(headers['content-type'], 'application/x-ndjson');
    return text.split('\n').slice(0, -1);
  };
  const requireValid = async (lines: string[], keptHeads: unknown[] = []) => {
    const verdict = await verifyAudit(lines, { jwks: given().context.signer.jwks(), keptHeads });
    assert.ok(verdict.ok, JSON.stringify(verdict));
    return verdict.summary;
  };

  test('an export holds, also with texts, numbers and names that a database stores in its own way', async () => {
    const odd = {
      ...{ b: 1, a: [1.5e300, 1e21, 1e-7, 0.1, -0, 5e-324, 123456789012345680000], Z: null, z: undefined },
      nested: { ü: '\u2028 "quoted" \\ \u{1f600}', '': '', __proto__: 'x' },
      half: '\ud800 and \0',
      at: new Date(0),
    };
    await recordAudit(given().context, event('odd', odd));
    const lines = await exportLines();
    const { entries } = await requireValid(lines);
    assert.equal(lines.length, entries + 1);
    const detail = JSON.parse(lines.find((line) => line.includes('"odd"')) ?? '').detail;
    assert.deepEqual(detail.a, [1.5e300, 1e21, 1e-7, 0.1, 0, 5e-324, 123456789012345680000]);
    assert.equal(detail.half, '\u{fffd} and \u{fffd}');
  });

  test('an entry stands or falls with the change that it tells of', async () => {
    const { context } = given();
    const before = (await exportLines()).length;
    const failing = context.database.transaction().execute(async (transaction) => {
      await recordAudit({ ...context, database: transaction }, event('undone'));
      throw new Error('the change failed');
    });
    await assert.rejects(failing, /the change failed/);
    assert.equal((await exportLines()).length, before);
    await recordAudit(context, event('after it'));
    await requireValid(await exportLines());
  });

  test('when a clock jumps back, times do not, and the entry says what the clock showed', async () => {
    const { context } = given();
    const past = new Date('2020-01-01T00:00:00.000Z');
    await recordAudit({ ...context, now: () => past }, event('jump'));
    await recordAudit(context, event('back again'));
    const summary = await requireValid(await exportLines());
    assert.equal(summary.behindClock, 1);
    const { items } = (await client.call('GET', '/v1/audit-events?subject=jump')).body;
    assert.equal(items[0].detail.clock, past.toISOString());
    assert.ok(items[0].at > '2026');
  });

  test('a head that was given once lies on every later export, and is what a receipt can carry', async () => {
    const kept = (await client.call('GET', '/v1/audit-head')).body;
    assert.deepEqual(await currentAuditHead(given().context.database, teamId), kept);
    await recordAudit(given().context, event('later'));
    const lines = await exportLines();
    const { keptHeads } = await requireValid(lines, [kept]);
    assert.equal(keptHeads.length, 1);
    const [head] = lines.slice(-1);
    assert.deepEqual(JSON.parse(head ?? '').audit_head, (await client.call('GET', '/v1/audit-head')).body);
  });

  test('events come newest first, page by page, each once', async () => {
    const { client, teamId } = await newTeam();
    // At one moment, so that their order is that of the chain alone.
    const now = () => new Date('2030-01-01T00:00:00.000Z');
    for (const subject of ['1', '2', '3', '4'])
      await recordAudit({ ...given().context, now }, { ...event(subject), teamId });
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await client.call('GET', `/v1/audit-events?limit=2${cursor}`);
      seen.push(...body.items.map(({ subject }: { subject: string }) => subject));
      cursor = body.next_cursor ? `&cursor=${body.next_cursor}` : '';
    } while (cursor);
    assert.deepEqual(
      seen.filter((subject) => subject.length === 1),
      ['4', '3', '2', '1'],
    );
  });

  test('the database refuses to change, delete or empty what was recorded', async () => {
    const { database } = given().context;
    await recordAudit(given().context, event('stays'));
    const refused = [
      sql`update audit_event set subject = 'other' where subject = 'stays'`,
      sql`delete from audit_event where subject = 'stays'`,
      sql`truncate audit_event`,
      sql`update audit_head set seq = seq - 1`,
      sql`delete from audit_head`,
      sql`truncate audit_head cascade`,
    ];
    for (const statement of refused)
      await assert.rejects(statement.execute(database), /the audit trail is append-only/);
    await requireValid(await exportLines());
  });

  test('a trail is for tokens of its whole team with the scope audit:read', async () => {
    const other = await newTeam();
    await recordAudit(given().context, event('private'));
    const lines = await exportLines(other.client);
    assert.ok(lines.every((line) => !line.includes(teamId)));
    const reader = await signIn(given(), await addTeam(given(), `crew-${++teams}`, ['builds:read']));
    for (const path of ['/v1/audit-events', '/v1/audit-events/export', '/v1/audit-head']) {
      assert.equal((await reader.call('GET', path)).status, 403);
      assert.equal((await send(given(), { method: 'GET', url: path })).status, 401);
    }
  });
});
