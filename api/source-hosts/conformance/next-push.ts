import assert from 'node:assert/strict';
import { isRefusal, type ParseWebhook } from '../webhook-event.ts';
import type { WebhookReceiver } from '../webhook-receiver.ts';

/** The first push of this ref among what comes, or of any: hosts may send a ping before, and late what came before the hook. */
export async function nextPush(
  receiver: WebhookReceiver,
  parseWebhook: ParseWebhook,
  secret: Buffer,
  ref?: string,
) {
  for (let index = 0; ; index += 1) {
    await receiver.count(index + 1);
    const webhook = receiver.received[index];
    assert.ok(webhook);
    const push = parseWebhook({ ...webhook, secret });
    assert.ok(!isRefusal(push), JSON.stringify(push));
    if (push.event === 'push' && (ref === undefined || push.ref === ref)) return { webhook, push };
  }
}
