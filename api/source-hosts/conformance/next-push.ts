import assert from 'node:assert/strict';
import { isRefusal, type ParseWebhook } from '../webhook-event.ts';
import type { WebhookReceiver } from '../webhook-receiver.ts';

/** The first push among what comes; hosts may send a ping before. */
export async function nextPush(receiver: WebhookReceiver, parseWebhook: ParseWebhook, secret: Buffer) {
  for (let index = 0; ; index += 1) {
    await receiver.count(index + 1);
    const webhook = receiver.received[index];
    assert.ok(webhook);
    const push = parseWebhook({ ...webhook, secret });
    assert.ok(!isRefusal(push), JSON.stringify(push));
    if (push.event === 'push') return { webhook, push };
  }
}
