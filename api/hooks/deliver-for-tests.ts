import { setTimeout as delay } from 'node:timers/promises';
import { json } from '../db/database.ts';
import type { PullRequestEvent, PushEvent } from '../source-hosts/webhook-event.ts';
import type { TestContext } from '../test-context.ts';
import { processDeliveries } from './process-deliveries.ts';

type Told = Pick<PushEvent, 'repository' | 'commit'> & Partial<PushEvent & { received: Date }>;

/** Stores a push as the intake does, not yet dealt with. */
export async function storePush(test: TestContext, hookId: string, told: Told): Promise<void> {
  const { received = new Date(), ...of } = told;
  const event: PushEvent = {
    ...{ event: 'push', delivery: crypto.randomUUID(), ref: 'refs/heads/main', before: '0'.repeat(40) },
    ...{ deleted: false, message: '', author: 'Ada', skip: false },
    ...of,
  };
  await store(test, hookId, event, received);
}

/** The same for a new commit of pull request 7. */
export async function storePullRequest(
  test: TestContext,
  hookId: string,
  told: Pick<PullRequestEvent, 'repository' | 'commit' | 'fromFork'>,
): Promise<void> {
  const event: PullRequestEvent = {
    ...{ event: 'pull_request', delivery: crypto.randomUUID(), action: 'changed', number: 7 },
    ...{ ref: 'refs/pull/7/head', headBranch: 'idea', baseBranch: 'main', title: 'An idea', author: 'Ada' },
    ...told,
  };
  await store(test, hookId, event, new Date());
}

async function store(
  { context }: TestContext,
  hook_binding_id: string,
  event: PushEvent | PullRequestEvent,
  received_at: Date,
): Promise<void> {
  const { delivery, event: event_name, ref, commit } = event;
  await context.database
    .insertInto('webhook_delivery')
    .values({
      ...{ hook_binding_id, delivery, received_at, event_name, ref, commit },
      ...{ build_id: null, body_digest: null, processed_at: null, reason: null, event: json(event) },
    })
    .execute();
}

/** Deals with all deliveries that are stored. The API looks for them each second, too: what it took before is waited for. */
export async function dealWithDeliveries({ context }: TestContext): Promise<void> {
  await processDeliveries(context, context.stopping, async () => {});
  const waiting = context.database
    .selectFrom('webhook_delivery')
    .select('delivery')
    .where('processed_at', 'is', null);
  if (!(await waiting.executeTakeFirst())) return;
  while (await waiting.executeTakeFirst()) await delay(20);
  // The queue hears of it after the database.
  await delay(300);
}
