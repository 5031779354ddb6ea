import assert from 'node:assert/strict';
import { isRefusal, type ParseWebhook } from '../webhook-event.ts';
import type { WebhookReceiver } from '../webhook-receiver.ts';

/** The first push to a ref among what comes; hosts may send a ping before, and late what was pushed before. */
export async function nextPush(
  receiver: WebhookReceiver,
  parseWebhook: ParseWebhook,
  { secret, ref }: { secret: Buffer; ref: string },
) {
  for (let index = 0; ; index += 1) {
    await receiver.count(index + 1);
    const webhook = receiver.received[index];
    assert.ok(webhook);
    const push = parseWebhook({ ...webhook, secret });
    assert.ok(!isRefusal(push), JSON.stringify(push));
    if (push.event === 'push' && push.ref === ref) return { webhook, push };
  }
}
