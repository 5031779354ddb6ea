import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { NewHook } from '../source-host.ts';
import { isRefusal, type ParseWebhook, type PushEvent } from '../webhook-event.ts';
import { type ReceivedWebhook, startWebhookReceiver } from '../webhook-receiver.ts';
import { type Running, signal } from './fixture.ts';
import { nextPush } from './next-push.ts';

export function testHooks(get: Running): void {
  const newHook = (receiver: { url: string }): NewHook => ({
    url: receiver.url,
    secret: randomBytes(32),
    events: ['push'],
  });

  test('a hook is found until it is removed; adding it again keeps its id', async () => {
    const { host, repository, missingRepository } = get();
    const hook = newHook({ url: 'https://ebb.example.com/hooks/1' });
    const { id } = await host.addHook(repository, hook, signal);
    assert.deepEqual(await host.addHook(repository, hook, signal), { id });
    assert.deepEqual(await host.findHook(repository, id, signal), {
      id,
      url: hook.url,
      events: ['push'],
      active: true,
    });
    assert.deepEqual(await host.lookUpHook(repository, hook.url, signal), { id });
    assert.equal(await host.lookUpHook(repository, `${hook.url}0`, signal), undefined);
    assert.equal(await host.removeHook(repository, id, signal), 'removed');
    assert.equal(await host.findHook(repository, id, signal), undefined);
    assert.equal(await host.lookUpHook(repository, hook.url, signal), undefined);
    await assert.rejects(host.lookUpHook(missingRepository, hook.url, signal), {
      code: 'repository_not_found',
    });
    assert.equal(await host.removeHook(repository, id, signal), 'absent');
    assert.equal(await host.removeHook(missingRepository, id, signal), 'absent');
    await assert.rejects(host.addHook(missingRepository, hook, signal), { code: 'repository_not_found' });
  });

  test('a push is delivered, verified and understood; altered or unsigned it is refused', async (t) => {
    const { host, parseWebhook, repository, client, developer } = get();
    const receiver = await startWebhookReceiver();
    t.after(receiver.close);
    const hook = newHook(receiver);
    const { id } = await host.addHook(repository, hook, signal);
    const commit = await client.commitAndPush(
      host.clone(repository),
      developer,
      'Tell everybody\n\nAnd more.',
      'told',
    );
    const { webhook, push } = await nextPush(receiver, parseWebhook, hook.secret);
    const { repositoryId: _, at: _at, bodyMayRepeat: _may, ...rest } = push;
    assert.deepEqual({ ...rest, delivery: '' }, {
      event: 'push',
      delivery: '',
      repository,
      ref: 'refs/heads/told',
      before: '0'.repeat(40),
      commit,
      deleted: false,
      message: 'Tell everybody',
      author: 'Ada Example',
      skip: false,
    } satisfies PushEvent);
    assert.notEqual(push.delivery, '');
    checkRefusals(parseWebhook, webhook, hook.secret);
    await host.removeHook(repository, id, signal);
  });

  test('after a hook is removed nothing is delivered to it', async (t) => {
    const { host, parseWebhook, repository, client, developer } = get();
    const [removed, kept] = await Promise.all([startWebhookReceiver(), startWebhookReceiver()]);
    t.after(removed.close);
    t.after(kept.close);
    const hook = newHook(kept);
    const goneHook = newHook(removed);
    const gone = await host.addHook(repository, goneHook, signal);
    const stays = await host.addHook(repository, hook, signal);
    await host.removeHook(repository, gone.id, signal);
    await client.commitAndPush(host.clone(repository), developer, 'only one is told', 'one');
    await nextPush(kept, parseWebhook, hook.secret);
    // Hosts may have tried it with a ping when it was added.
    const events = removed.received.map((webhook) => parseWebhook({ ...webhook, secret: goneHook.secret }));
    assert.ok(!events.some((event) => isRefusal(event) || event.event === 'push'), JSON.stringify(events));
    await host.removeHook(repository, stays.id, signal);
  });
}

function checkRefusals(parseWebhook: ParseWebhook, { headers, body }: ReceivedWebhook, secret: Buffer): void {
  const altered = Buffer.from(body);
  altered[altered.length - 2] = (altered[altered.length - 2] ?? 0) ^ 1;
  const refusalOf = (request: ReceivedWebhook, by = secret) => {
    const result = parseWebhook({ ...request, secret: by });
    return isRefusal(result) ? result.code : result.event;
  };
  assert.equal(refusalOf({ headers: {}, body }), 'signature_missing');
  assert.equal(refusalOf({ headers, body: altered }), 'signature_invalid');
  assert.equal(refusalOf({ headers, body }, randomBytes(32)), 'signature_invalid');
}
