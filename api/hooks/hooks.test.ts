import assert from 'node:assert/strict';
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describeApi } from '../../test/describe-api.ts';
import type { PushEvent } from '../source-hosts/webhook-event.ts';
import { type Client, created, declareBuildableProject, send, signIn } from '../test-client.ts';
import { createDeliveryStore } from './delivery-store.ts';

describeApi('webhooks', (given) => {
  let admin: Client;
  let project: Awaited<ReturnType<typeof declareBuildableProject>>;
  let hook: { id: string };
  before(async () => {
    admin = await signIn(given(), given().keys.admin);
  });
  beforeEach(async () => {
    project = await declareBuildableProject(given(), admin);
    hook = await created(admin, '/v1/hook-bindings', {
      project_id: project.id,
      branches: ['main', 'release/*'],
    });
  });

  const push = (change: object = {}) => ({
    event: 'push',
    delivery: randomUUID(),
    repository: project.name,
    ref: 'refs/heads/main',
    before: '0'.repeat(40),
    after: project.head,
    deleted: false,
    head_commit: { id: project.head, message: 'Add a shop\n\nLong story.', author: { name: 'Ada' } },
    ...change,
  });

  /** Posts a payload as the source host would; `change` replaces headers, `body` the bytes after signing. */
  async function deliver(
    payload: object,
    options: { headers?: Record<string, string>; body?: Buffer; id?: string } = {},
  ) {
    const signed = Buffer.from(JSON.stringify(payload));
    const secret = given().context.custody.hookSecret(hook.id);
    const signature = createHmac('sha256', secret).update(signed).digest('hex');
    return await send(given(), {
      method: 'POST',
      url: `/v1/hooks/${options.id ?? hook.id}`,
      headers: {
        'content-type': 'application/json',
        'x-hub-signature-256': `sha256=${signature}`,
        ...options.headers,
      },
      payload: options.body ?? signed,
    });
  }
  const builds = async () => {
    await settled();
    return (await admin.call('GET', `/v1/builds?project_id=${project.id}`)).body.items;
  };
  /** What became of the deliveries, the newest first. */
  const deliveries = async () => {
    await settled();
    return (await admin.call('GET', `/v1/hook-bindings/${hook.id}/deliveries`)).body.items;
  };
  const refusals = async () => {
    const { body } = await admin.call('GET', `/v1/audit-events?subject=${hook.id}`);
    return body.items.filter(({ action }: { action: string }) => action === 'webhook.refused');
  };
  async function settled(): Promise<void> {
    const { database } = given().context;
    const waiting = database
      .selectFrom('webhook_delivery')
      .select('delivery')
      .where('processed_at', 'is', null);
    while ((await waiting.execute()).length > 0) await sleep(10);
  }

  test('an authentic push starts a build of its commit, shown with the first line of its message', async () => {
    const { status, body } = await deliver(push());
    assert.deepEqual([status, body.status], [202, 'accepted']);
    const [build] = await builds();
    assert.deepEqual(
      [build.trigger, build.ref, build.branch, build.commit, build.message, build.state],
      ['push', 'refs/heads/main', 'main', project.head, 'Add a shop', 'queued'],
    );
    const [delivery] = await deliveries();
    assert.deepEqual([delivery.delivery, delivery.build, delivery.reason], [body.delivery, build.id, null]);
    assert.match(build.reason, /Waiting for a runner/);
  });

  test('what is not authentic is refused with its reason and starts nothing', async () => {
    const other = Buffer.from(JSON.stringify(push({ ref: 'refs/heads/release/1' })));
    const cases = [
      [await deliver(push(), { body: other }), 401, 'signature_invalid'],
      [await deliver(push(), { headers: { 'x-hub-signature-256': 'sha256=00' } }), 401, 'signature_invalid'],
      [await deliver(push(), { headers: { 'x-hub-signature-256': '' } }), 401, 'signature_invalid'],
      [await deliver(push(), { id: 'hook_none' }), 404, 'not_found'],
      [await deliver(push({ repository: 'somebody-elses' })), 403, 'wrong_repository'],
      [await deliver(push({ padding: 'x'.repeat(300_000) })), 413, 'too_large'],
      [await deliver(push({ padding: 'x'.repeat(26_300_000) })), 413, 'body_too_large'],
      [await deliver(push(), { body: Buffer.from('{"event":"push"') }), 401, 'signature_invalid'],
      [await deliver(push({ ref: 'main' })), 400, 'malformed'],
      [await deliver(push({ delivery: '' })), 400, 'malformed'],
    ] as const;
    for (const [answer, status, code] of cases) {
      assert.deepEqual([answer.status, answer.body.code], [status, code]);
      assert.ok(answer.body.detail.length > 10);
    }
    assert.match(cases[6][0].body.detail, /larger than 25 MiB/);
    assert.deepEqual(await builds(), []);
    const audit = await refusals();
    const codes = new Set(audit.map(({ detail }: { detail: { code: string } }) => detail.code));
    assert.deepEqual([...codes].sort(), [
      ...['body_too_large', 'malformed', 'signature_invalid', 'too_large', 'wrong_repository'],
    ]);
  });

  test('what is refused again and again is written down ten times an hour', async () => {
    const bad = { headers: { 'x-hub-signature-256': 'sha256=00' } };
    for (let count = 0; count < 12; count += 1) assert.equal((await deliver(push(), bad)).status, 401);
    const audit = await refusals();
    assert.equal(audit.length, 10);
  });

  test('a tag starts a build where the hook binding names a pattern for it, and deploys nothing', async () => {
    await admin.call('PATCH', `/v1/hook-bindings/${hook.id}`, { tags: ['v*'] });
    await deliver(push({ ref: 'refs/tags/v1' }));
    const [build] = await builds();
    assert.deepEqual([build.trigger, build.ref, build.branch], ['tag', 'refs/tags/v1', 'v1']);
  });

  test('a compressed body is refused without being unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(10_000_000));
    const headers = { 'content-encoding': 'gzip' };
    const { status, body } = await deliver(push(), { headers, body: bomb });
    assert.deepEqual([status, body.code], [415, 'encoding_not_supported']);
    assert.deepEqual(await builds(), []);
  });

  test('one that the database does not take does not keep it from taking those beside it', async () => {
    const store = createDeliveryStore(given().context, () => {});
    const event = (message: string): PushEvent => ({
      ...{ event: 'push', delivery: randomUUID(), repository: 'shop', ref: 'refs/heads/main' },
      ...{ before: '0'.repeat(40), commit: '1'.repeat(40), deleted: false, author: '', skip: false },
      message,
    });
    const storing = ['first', 'half a character: \ud83d', 'third', 'fourth'].map((message) =>
      store.store({ hookId: hook.id, event: event(message), digest: randomBytes(32).toString('hex') }),
    );
    assert.deepEqual(
      (await Promise.allSettled(storing)).map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
    );
  });

  test('the same body under another id counts where the source host vouches for the id', async () => {
    const store = createDeliveryStore(given().context, () => {});
    const digest = randomBytes(32).toString('hex');
    const event = (delivery: string): PushEvent => ({
      ...{ event: 'push', delivery, repository: 'shop', ref: 'refs/heads/main', before: '0'.repeat(40) },
      ...{ commit: '1'.repeat(40), deleted: false, message: '', author: '', skip: false },
      bodyMayRepeat: true,
    });
    const [one, two] = [randomUUID(), randomUUID()];
    for (const [delivery, storing] of [
      [one, 'stored'],
      [two, 'stored'],
      [one, 'duplicate'],
    ] as const)
      assert.equal(await store.store({ hookId: hook.id, event: event(delivery), digest }), storing);
  });

  test('a delivery that comes again starts nothing again, also at the same moment', async () => {
    const payload = push();
    const answers = await Promise.all(Array.from({ length: 5 }, () => deliver(payload)));
    assert.ok(answers.every(({ status }) => status === 202));
    const said = answers.map(({ body }) => body.status).sort();
    assert.deepEqual(said, ['accepted', ...Array.from({ length: 4 }, () => 'received_before')]);
    assert.equal((await builds()).length, 1);
  });

  test('one delivery id with two bodies is refused the second time, and the audit has it', async () => {
    const delivery = randomUUID();
    const other = await Promise.all([deliver(push({ delivery })), deliver(push({ delivery, more: 1 }))]);
    assert.deepEqual(other.map(({ status }) => status).sort(), [202, 409]);
    assert.equal((await builds()).length, 1);
    const audit = await refusals();
    assert.deepEqual(
      audit.map(({ action, detail }: { action: string; detail: { code: string } }) => [action, detail.code]),
      [['webhook.refused', 'delivery_replayed']],
    );
  });

  test('another id in the headers is not believed: it is the same delivery, and starts nothing again', async () => {
    const payload = push();
    assert.equal((await deliver(payload)).status, 202);
    const again = await deliver(payload, { headers: { 'x-ebb-delivery': randomUUID() } });
    assert.deepEqual([again.status, again.body.status], [202, 'received_before']);
    assert.equal((await builds()).length, 1);
  });

  test('an authentic event that starts no build is taken, with the reason', async () => {
    const ignored = [
      [await deliver(push({ ref: 'refs/heads/feature' })), /no pattern for the branch feature/],
      [await deliver(push({ ref: 'refs/tags/v1' })), /no pattern for the tag v1/],
      [await deliver(push({ deleted: true, after: '0'.repeat(40), head_commit: null })), /deleted/],
      [await deliver(push({ head_commit: { id: project.head, message: 'Typo [skip ci]' } })), /asks to skip/],
      [await deliver(push({ event: 'ping' })), /tried the hook/],
      [await deliver(push({ event: 'release' })), /starts no build/],
    ] as const;
    for (const [{ status, body }, reason] of ignored) {
      assert.deepEqual([status, body.status], [202, 'accepted']);
      const shown = (await deliveries()).find(
        ({ delivery }: { delivery: string }) => delivery === body.delivery,
      );
      assert.match(shown.reason, reason);
    }
    assert.deepEqual(await builds(), []);
  });

  test('the hook of a revoked project is not there any more', async () => {
    const payload = push();
    assert.equal((await admin.call('DELETE', `/v1/projects/${project.id}`)).status, 204);
    assert.equal((await deliver(payload)).status, 404);
  });

  test('no secret of a hook is in an answer or in the log', async () => {
    const secret = given().context.custody.hookSecret(hook.id);
    const { text } = await admin.call('GET', `/v1/hook-bindings/${hook.id}`);
    for (const encoding of ['hex', 'base64', 'base64url'] as const) {
      assert.ok(!text.includes(secret.toString(encoding)));
      assert.ok(!given().logged().includes(secret.toString(encoding)));
    }
  });
});
