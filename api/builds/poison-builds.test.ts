import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, beforeEach, test } from 'node:test';
import { describeApi } from '../../test/describe-api.ts';
import { type Client, created, declareBuildableProject, send, signIn } from '../test-client.ts';
import { sweepOnce } from './sweep.ts';

const gone = 'The runner of this build is gone.';

describeApi('a poison build, which takes its runner down', (given) => {
  let admin: Client;
  let runner: Client;
  let id: string;
  before(async () => {
    admin = await signIn(given(), given().keys.admin);
    runner = await signIn(given(), given().keys.runner);
  });
  beforeEach(async () => {
    const { queue } = given().context;
    for (const { build } of await queue.list()) await queue.forget(build);
    const project = await declareBuildableProject(given(), admin);
    id = (await created(admin, '/v1/builds', { project_id: project.id })).id;
  });

  const read = async () => (await admin.call('GET', `/v1/builds/${id}`)).body;
  /** Takes the lease of the build; it runs out at once. */
  async function lease(): Promise<string> {
    const holder = `runner/${randomUUID()}`;
    assert.equal((await given().context.queue.claim(holder, 1))?.build, id);
    return holder;
  }
  /** Claims the build under a lease, and gives what reports its end. */
  async function claim() {
    const answer = await runner.call('POST', `/v1/builds/${id}/claim`, { lease_holder: await lease() });
    assert.equal(answer.status, 200, answer.text);
    const { token, attempt } = answer.body;
    return async (reason: string) => {
      const headers = { authorization: `Bearer ${token}` };
      const payload = { attempt, outcome: 'lost', reason };
      const url = `/v1/builds/${id}/finish`;
      assert.equal((await send(given(), { method: 'POST', url, headers, payload })).status, 204);
    };
  }
  /** What the sweeper does once the lease has run out. */
  async function sweep(): Promise<void> {
    const { context } = given();
    while (!(await context.queue.expired()).includes(id));
    await sweepOnce({ ...context, now: () => new Date(Date.now() + 60_000) });
  }

  test('before it reports anything is given up after three claims, with each reason, and leaves the queue', async () => {
    for (const attempt of [1, 2, 3]) {
      assert.equal((await read()).state, 'queued');
      await claim();
      await sweep();
      assert.equal((await read()).attempt, attempt);
    }
    const { state, reason, finished_at } = await read();
    assert.equal(state, 'errored');
    assert.ok(reason.startsWith(`Lost on each of 3 VMs: 1. ${gone} 2. ${gone} 3. ${gone} Given up after 3`));
    assert.notEqual(finished_at, null);
    assert.deepEqual(await given().context.queue.list(), []);
  });

  test('is given up alike when some losses are told by runners and some are found by the sweeper', async () => {
    await (await claim())('The VM was lost: no answer.');
    await claim();
    await sweep();
    await (await claim())('The VM did not boot.');
    const { state, reason } = await read();
    assert.equal(state, 'errored');
    assert.match(
      reason,
      /1\. The VM was lost: no answer\. 2\. The runner .* gone\. 3\. The VM did not boot\./,
    );
  });

  test('counts no runner that died before its claim: nothing of the build was in its hands', async () => {
    for (let times = 0; times < 4; times += 1) {
      await lease();
      await sweep();
    }
    const { state, attempt } = await read();
    assert.deepEqual([state, attempt], ['queued', 0]);
  });
});
