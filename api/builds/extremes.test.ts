import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { created, declareBuildableProject, send, signIn } from '../test-client.ts';
import { openTestContext, type TestContext } from '../test-context.ts';

/* Numbers and moments that JSON has and the database has not. */

let given: TestContext;
let build: string;
let report: (path: string, payload: object) => Promise<{ status: number; text: string }>;
let read: (query: string) => Promise<{ status: number; text: string }>;
before(async () => {
  given = await openTestContext();
  const admin = await signIn(given, given.keys.admin);
  const project = await declareBuildableProject(given, admin);
  build = (await created(admin, '/v1/builds', { project_id: project.id })).id;
  const runner = await signIn(given, given.keys.runner);
  const claim = await runner.call('POST', `/v1/builds/${build}/claim`, { lease_holder: 'runner-1' });
  const authorization = `Bearer ${claim.body.token}`;
  report = (path, payload) =>
    send(given, { method: 'POST', url: `/v1/builds/${build}/${path}`, headers: { authorization }, payload });
  read = (query) => admin.call('GET', `/v1/builds/${build}/log?${query}`);
  const headers = { authorization, 'content-type': 'application/octet-stream' };
  const url = `/v1/builds/${build}/log?attempt=1&offset=0`;
  const log = await send(given, { method: 'POST', url, headers, payload: Buffer.from('a line\n') });
  assert.equal(log.status, 204, log.text);
});
after(() => given.close());

test('a log is read from an offset that it may have; a larger one is refused', async () => {
  assert.equal((await read('offset=2147483647')).text, '');
  for (const offset of ['2147483648', '9007199254740993', '1e21'])
    assert.equal((await read(`offset=${offset}`)).status, 400, offset);
});

test('bytes of a log are taken as bytes alone', async () => {
  const json = await report('log?attempt=1&offset=7', { a: 1 });
  assert.equal(json.status, 415, json.text);
});

test('a milestone is at a moment that there is', async () => {
  for (const at of ['0000-01-01T00:00:00Z', '2016-12-31T23:59:60Z', '1969-12-31T23:59:59Z']) {
    const { status, text } = await report('milestones', { attempt: 1, milestone: 'checkout_done', at });
    assert.equal(status, 422, `${at}: ${text}`);
  }
  const at = '2026-01-31T12:00:00.123456Z';
  const { status, text } = await report('milestones', { attempt: 1, milestone: 'checkout_done', at });
  assert.equal(status, 204, text);
});

test('an exit code is one that the database can hold', async () => {
  for (const exit_code of [2 ** 31, -(2 ** 31) - 1, 1e21]) {
    const { status, text } = await report('finish', { attempt: 1, outcome: 'errored', exit_code });
    assert.equal(status, 422, text);
  }
  // Without a VM no command had any.
  const { status, text } = await report('finish', { attempt: 1, outcome: 'errored', exit_code: 2 ** 31 - 1 });
  assert.equal(status, 409, text);
});
