import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, type TestContext, test } from 'node:test';
import { startApi } from './api-for-tests.ts';
import { createCreationNotes } from './creation-notes.ts';

let folder: string;
beforeEach(async (t) => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-notes-'));
  (t as TestContext).after(() => rm(folder, { recursive: true, force: true }));
});
/** As another run of the provider would have them. */
const notes = (scope = 'here') => createCreationNotes(folder, scope);

test('what a killed run asked for is asked for again under the same key', async () => {
  const first = await notes().begin('a project shop');
  const second = await notes().begin('a project shop');
  assert.deepEqual([first.isRepeated, second.isRepeated], [false, true]);
  assert.equal(second.idempotencyKey, first.idempotencyKey);
  await second.made('prj_1');
  const third = await notes().begin('a project shop');
  assert.equal(third.idempotencyKey, first.idempotencyKey, 'it may still be in no state');
});

test('what is in a state, refused, of another workspace or of something else has a key of its own', async () => {
  const first = await notes().begin('a project shop');
  await first.made('prj_1');
  assert.ok(!(await notes().begin('a project store')).isRepeated);
  assert.ok(!(await notes('elsewhere').begin('a project shop')).isRepeated);
  await notes().recorded('prj_2');
  assert.ok((await notes().begin('a project shop')).isRepeated);
  await notes().recorded('prj_1');
  const next = await notes().begin('a project shop');
  assert.ok(!next.isRepeated);
  await next.refused();
  assert.ok(!(await notes().begin('a project shop')).isRepeated);
});

test('a note that was cut off, or is old, counts for nothing', async () => {
  const first = await notes().begin('a project shop');
  const [name = ''] = await readdir(folder);
  await writeFile(join(folder, name), '{"key"');
  const second = await notes().begin('a project shop');
  assert.ok(!second.isRepeated);
  assert.notEqual(second.idempotencyKey, first.idempotencyKey);
  await second.made('prj_1');
  await utimes(join(folder, name), 0, 0);
  await notes().recorded('prj_2');
  assert.deepEqual(await readdir(folder), []);
});

test('where nothing can be written it is as without notes', async () => {
  const blocked = join(folder, 'file');
  await writeFile(blocked, '');
  await chmod(blocked, 0o400);
  const impossible = () => createCreationNotes(join(blocked, 'below'), 'here');
  const first = await impossible().begin('a project shop');
  await first.made('prj_1');
  await first.refused();
  assert.ok(!(await impossible().begin('a project shop')).isRepeated);
});

test('a note that cannot be removed any more is done without', async (t) => {
  const stays = {
    idempotencyKey: 'of-before',
    isRepeated: true,
    made: async () => {},
    refused: async () => {},
  };
  const { client, seen } = await startApi(
    t,
    ({ headers }, response) => {
      const isReused = headers['idempotency-key'] === 'of-before';
      response.statusCode = isReused ? 422 : 201;
      const problem = { title: 'Reused', status: 422, code: 'idempotency_key_reused' };
      response.end(JSON.stringify(isReused ? problem : { id: 'sec_1' }));
    },
    { notes: { begin: async () => stays, recorded: async () => {} } },
  );
  const request = {
    method: 'POST',
    path: '/v1/secrets',
    creationOf: 'the secret TOKEN',
    body: '{}',
  } as const;
  assert.equal(JSON.parse((await client.request(request)).text).id, 'sec_1');
  assert.equal(seen.length, 2);
});

test('a note holds no more than a key and an id, and goes with another secret', async (t) => {
  const { client, seen } = await startApi(
    t,
    (request, response) => {
      const isReused = seen.filter(
        ({ headers }) => headers['idempotency-key'] === request.headers['idempotency-key'],
      );
      response.statusCode = isReused.length > 1 ? 422 : 201;
      const problem = { title: 'Reused', status: 422, code: 'idempotency_key_reused' };
      response.end(JSON.stringify(isReused.length > 1 ? problem : { id: 'sec_1' }));
    },
    { notes: notes() },
  );
  const create = (value: string) =>
    client.request({
      ...{ method: 'POST', path: '/v1/secrets', creationOf: 'the secret TOKEN' },
      body: JSON.stringify({ value }),
    });
  await create('hidden');
  const [name = ''] = await readdir(folder);
  assert.deepEqual(Object.keys(JSON.parse(await readFile(join(folder, name), 'utf8'))).sort(), ['id', 'key']);
  const { isRepeated } = await create('another');
  assert.equal(isRepeated, false);
  const keys = seen.map(({ headers }) => headers['idempotency-key']);
  assert.equal(keys[1], keys[0]);
  assert.notEqual(keys[2], keys[0]);
});
