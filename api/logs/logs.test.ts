import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { before, beforeEach, test } from 'node:test';
import { createFileKeyWrapper } from '../../contract/custody/key-wrapper.ts';
import { describeApi } from '../../test/describe-api.ts';
import { transition } from '../builds/state-machine.ts';
import type { ApiContext } from '../context.ts';
import { createCustody } from '../custody/custody.ts';
import { destroySecrets } from '../revocation/destroy-secrets.ts';
import { type Client, created, declareBuildableProject, signIn } from '../test-client.ts';
import { appendLog } from './append-log.ts';
import { eraseLogs } from './erase-logs.ts';
import { readLog } from './read-log.ts';

const line = 'a line that a dump must not show\n';
const never = new AbortController().signal;

describeApi('logs at rest', (given) => {
  let admin: Client;
  let project: { id: string };
  let build: { id: string; project_id: string };

  before(async () => {
    admin = await signIn(given(), given().keys.admin);
  });
  beforeEach(async () => {
    project = await declareBuildableProject(given(), admin);
    build = await newBuild();
  });

  async function newBuild() {
    const { id } = await created(admin, '/v1/builds', { project_id: project.id });
    await transition(given().context.database, id, 'claim', 'starting');
    return { id, project_id: project.id };
  }
  const append = (offset: number, text: string, to = build) =>
    appendLog(given().context, to, { attempt: 0, offset }, Buffer.from(text));
  const log = (id = build.id, offset = 0) =>
    admin.call('GET', `/v1/builds/${id}/log${offset ? `?offset=${offset}` : ''}`);
  const chunks = async (id = build.id) =>
    await given()
      .context.database.selectFrom('build_log')
      .selectAll()
      .where('build_id', '=', id)
      .orderBy('position')
      .execute();
  const readAll = async (context: ApiContext) => {
    const parts = [];
    for await (const { data } of readLog(context, build, 0)) parts.push(data);
    return Buffer.concat(parts).toString();
  };
  test('the database holds nothing of a log that can be read, and the team reads all of it', async () => {
    await append(0, line);
    await append(line.length, line);
    for (const { data } of await chunks()) assert.ok(!Buffer.from(data).includes('dump'));
    assert.equal((await log()).text, line + line);
  });

  test('offsets and repetition count the bytes as they were written', async () => {
    await append(0, 'one two');
    await append(4, 'two three');
    assert.deepEqual(
      (await chunks()).map(({ position }) => position),
      [0, 7],
    );
    assert.equal((await log()).text, 'one two three');
    assert.equal((await log(build.id, 4)).text, 'two three');
    assert.equal((await log(build.id, 9)).text, 'hree');
  });

  test('the same text twice leaves other bytes: nothing can be compared', async () => {
    await append(0, line);
    await append(line.length, line);
    const [first, second] = await chunks();
    assert.notDeepEqual(first?.data, second?.data);
  });

  test('a chunk that is moved, taken from another build or changed is refused', async () => {
    const { database } = given().context;
    const set = (data: Uint8Array, position: number) =>
      database
        .updateTable('build_log')
        .set({ data })
        .where('build_id', '=', build.id)
        .where('position', '=', position)
        .execute();
    const other = await newBuild();
    await append(0, 'aaaa', other);
    await append(0, 'bbbb');
    await append(4, 'cccc');
    const [first, second] = await chunks();
    const [foreign] = await chunks(other.id);
    assert.ok(first && second && foreign);
    const flipped = Buffer.from(first.data);
    flipped[14] = (flipped[14] ?? 0) ^ 1;
    for (const data of [second.data, foreign.data, flipped, first.data.subarray(0, 20)]) {
      await set(data, 0);
      assert.equal((await log()).status, 500);
      await assert.rejects(readAll(given().context), /is damaged: what lies at 0 was not written there/);
    }
    await set(first.data, 0);
    assert.equal((await log()).text, 'bbbbcccc');
    await append(8, 'dddd');
    await database
      .deleteFrom('build_log')
      .where('build_id', '=', build.id)
      .where('position', '=', 4)
      .execute();
    await assert.rejects(readAll(given().context), /is damaged: nothing lies at 4/);
  });

  test('who has the database but not the master key opens nothing', async () => {
    await append(0, line);
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const custody = createCustody({
      keyWrapper: createFileKeyWrapper(publicKey.export({ format: 'jwk' })),
      hookMasterKey: randomBytes(32),
    });
    await assert.rejects(readAll({ ...given().context, custody }), /Was the API's master key changed/);
  });

  test('a log key that is put in the place of another project’s opens nothing', async () => {
    const { database } = given().context;
    await append(0, line);
    const { wrapped_log_key } = await database
      .selectFrom('project')
      .select('wrapped_log_key')
      .where('id', '=', project.id)
      .executeTakeFirstOrThrow();
    const other = await declareBuildableProject(given(), admin);
    await database.updateTable('project').set({ wrapped_log_key }).where('id', '=', other.id).execute();
    const parts = readLog(given().context, { id: build.id, project_id: other.id }, 0);
    await assert.rejects(parts.next(), /cannot be opened/);
  });

  test('text that was put into the database in the clear is never shown as a log', async () => {
    await append(0, line);
    const forged = { data: Buffer.from('forged'.padEnd(line.length)) };
    await given()
      .context.database.updateTable('build_log')
      .set(forged)
      .where('build_id', '=', build.id)
      .execute();
    await assert.rejects(readAll(given().context), /was not written there/);
  });

  test('after a revocation nobody reads a log: 410 with what happened, also for a backup of it', async () => {
    await append(0, line);
    const backup = await chunks();
    await admin.call('POST', `/v1/builds/${build.id}/cancel`);
    await transition(given().context.database, build.id, 'end', 'cancelled', { finished_at: new Date() });
    assert.equal((await admin.call('DELETE', `/v1/projects/${project.id}`)).status, 204);
    const answer = await log();
    assert.deepEqual([answer.status, answer.body.code], [410, 'log_destroyed']);
    assert.match(answer.body.detail, /revoked, and the key of its logs was destroyed with it at 20/);
    assert.equal((await admin.call('GET', `/v1/builds/${build.id}/events`)).status, 410);
    assert.equal((await admin.call('GET', `/v1/builds/${build.id}`)).body.state, 'cancelled');
    await eraseLogs(given().context, never);
    assert.deepEqual(await chunks(), []);
    assert.equal(await eraseLogs(given().context, never), 0);
    await given().context.database.insertInto('build_log').values(backup).execute();
    assert.equal((await log()).status, 410);
    const { wrapped_log_key } = await given()
      .context.database.selectFrom('project')
      .select('wrapped_log_key')
      .where('id', '=', project.id)
      .executeTakeFirstOrThrow();
    assert.equal(wrapped_log_key, null);
  });

  test('what a build still prints when its project’s secrets are destroyed is counted and not kept', async () => {
    await append(0, line);
    await destroySecrets(given().context.database, project.id);
    await append(line.length, 'late');
    const { log_size } = await given()
      .context.database.selectFrom('build')
      .select('log_size')
      .where('id', '=', build.id)
      .executeTakeFirstOrThrow();
    assert.equal(log_size, line.length + 4);
    assert.equal((await chunks()).length, 1);
    const { wrapped_log_key } = await given()
      .context.database.selectFrom('project')
      .select('wrapped_log_key')
      .where('id', '=', project.id)
      .executeTakeFirstOrThrow();
    assert.equal(wrapped_log_key, null, 'no new key is made for a project that is being revoked');
  });
});
