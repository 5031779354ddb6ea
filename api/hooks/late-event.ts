import type { Database } from '../db/database.ts';
import { findHead, isOlder } from '../reconciler/branch-heads.ts';
import type { PullRequestEvent, PushEvent, WebhookEvent } from '../source-hosts/webhook-event.ts';

interface Bound {
  hook_binding_id: string;
  project_id: string;
}

/**
 * Why an event starts nothing any more: its commit was found at the source host and dealt with, or was built for this
 * very request, or something newer was dealt with before. Undefined when it is in time.
 */
export async function whyLate(
  transaction: Database,
  { hook_binding_id, project_id }: Bound,
  event: WebhookEvent,
): Promise<string | undefined> {
  if (event.event === 'push') return await whyPushIsLate(transaction, hook_binding_id, event);
  if (event.event === 'pull_request') return await whyRequestIsLate(transaction, project_id, event);
  return undefined;
}

async function whyPushIsLate(
  transaction: Database,
  hookId: string,
  event: PushEvent,
): Promise<string | undefined> {
  const head = await findHead(transaction, hookId, event.ref);
  if (!head) return undefined;
  if (head.asked && head.commit === event.commit)
    return 'This push was seen at the source host before its webhook came, and dealt with then.';
  return isOlder(event, head.at) ? 'A newer push to this branch was dealt with before.' : undefined;
}

async function whyRequestIsLate(
  transaction: Database,
  projectId: string,
  event: PullRequestEvent,
): Promise<string | undefined> {
  if (event.action === 'other') return undefined;
  const builds = await transaction
    .selectFrom('build')
    .select(['number', 'commit', 'state', 'pull_request_at'])
    .where('project_id', '=', projectId)
    .where('pull_request', '=', event.number)
    .orderBy('number', 'desc')
    .execute();
  if (builds.some((build) => isOlder(event, build.pull_request_at)))
    return `A newer change of pull request ${event.number} was dealt with before.`;
  const same = builds.find(({ commit, state }) => commit === event.commit && state !== 'cancelled');
  return same && event.action === 'changed'
    ? `Build ${same.number} is of this commit of the pull request.`
    : undefined;
}
