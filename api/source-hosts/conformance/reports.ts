import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRefusal } from '../webhook-event.ts';
import { startWebhookReceiver } from '../webhook-receiver.ts';
import { type Running, signal } from './fixture.ts';
import { nextPush } from './next-push.ts';

export function testReports(get: Running): void {
  test('the state of a build is shown beside its commit, and may be told twice, where the host has a place for it', async () => {
    const { host, repository, missingRepository, statusesOf, client, developer } = get();
    assert.equal(host.reportStatus === undefined, statusesOf === undefined);
    if (!host.reportStatus || !statusesOf) return;
    const commit = await client.commitAndPush(host.clone(repository), developer, 'Report me', 'reported');
    const status = {
      ...{ commit, context: 'ebb/shop', description: 'Build 1', url: 'https://ebb.example.com/builds/1' },
    };
    for (const state of ['pending', 'pending', 'success'] as const) {
      await host.reportStatus(repository, { ...status, state }, signal);
    }
    assert.deepEqual(statusesOf(repository, commit).at(-1), { state: 'success', context: 'ebb/shop' });
    const lost = host.reportStatus(missingRepository, { ...status, state: 'success' }, signal);
    await assert.rejects(lost, { code: 'repository_not_found' });
  });

  test('a delivery that was not taken is delivered again when asked for, where the host keeps a log', async (t) => {
    const { host, parseWebhook, repository, missingRepository, client, developer } = get();
    assert.equal(host.failedDeliveries === undefined, host.redeliver === undefined);
    if (!host.failedDeliveries || !host.redeliver) return;
    const since = new Date(Date.now() - 3_600_000);
    let isAway = true;
    const receiver = await startWebhookReceiver(() => (isAway ? 500 : 204));
    t.after(receiver.close);
    const secret = randomBytes(32);
    const { id } = await host.addHook(repository, { url: receiver.url, secret, events: ['push'] }, signal);
    await client.commitAndPush(host.clone(repository), developer, 'Not taken', 'not-taken');
    const { push } = await nextPush(receiver, parseWebhook, secret);
    const failedPush = async () => {
      const failed = (await host.failedDeliveries?.(repository, id, since, signal)) ?? [];
      return failed.find(({ delivery }) => delivery === push.delivery);
    };
    const failed = await eventually(failedPush);
    isAway = false;
    const before = receiver.received.length;
    await host.redeliver(repository, id, failed.id, signal);
    await receiver.count(before + 1);
    const again = receiver.received.slice(before).map((webhook) => parseWebhook({ ...webhook, secret }));
    assert.ok(again.some((event) => !isRefusal(event) && event.delivery === push.delivery));
    await eventually(async () => (await failedPush()) === undefined || undefined);
    await host.removeHook(repository, id, signal);
    assert.deepEqual(await host.failedDeliveries(repository, id, since, signal), []);
    await host.redeliver(repository, id, failed.id, signal);
    const lost = host.failedDeliveries(missingRepository, id, since, signal);
    await assert.rejects(lost, { code: 'repository_not_found' });
  });
}

/** What it gives as soon as it gives something. */
async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(20, undefined, { signal });
  }
}
