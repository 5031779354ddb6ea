import { idOf, listOf, textOf } from '../rest/fields.ts';
import { isStatus, type RestAnswer } from '../rest/rest-error.ts';
import type { Delivery } from '../source-host.ts';
import type { GithubApi, GithubRequest } from './github-api.ts';
import { inspect } from './github-identity.ts';

// Enough for a delivery that failed while Ebb was away, and an end for one that fails for ever.
const maxDeliveriesOfOne = 4;
const maxPages = 5;

/**
 * Deliveries of which no attempt succeeded, newest first; none of a hook that is gone, and none that was refused once
 * more when it was asked for: Ebb would say the same each time, and each attempt is a failure that is new.
 *
 * @see https://docs.github.com/en/rest/repos/webhooks#list-deliveries-for-a-repository-webhook
 */
export async function failedDeliveries(
  api: GithubApi,
  repository: string,
  hookId: string,
  since: Date,
  signal: AbortSignal,
): Promise<Delivery[]> {
  const tries = new Map<string, { id: string; count: number; settled: boolean }>();
  let path: string | undefined =
    `/repos/${repository}/hooks/${encodeURIComponent(hookId)}/deliveries?per_page=100`;
  for (let page = 0; path !== undefined && page < maxPages; page += 1) {
    const answer = await unlessHookIsGone(api, repository, { method: 'GET', path, signal });
    if (!answer) return [];
    const deliveries = listOf(answer);
    for (const delivery of deliveries) {
      if (new Date(textOf(delivery, 'delivered_at')) < since) continue;
      const guid = textOf(delivery, 'guid');
      const status = Number(delivery.status_code);
      const seen = tries.get(guid) ?? { id: idOf(delivery), count: 0, settled: false };
      tries.set(guid, {
        ...seen,
        count: seen.count + 1,
        settled: seen.settled || hasArrived(status) || (delivery.redelivery === true && refusals.has(status)),
      });
    }
    const oldest = deliveries.at(-1);
    const isPast = oldest === undefined || new Date(textOf(oldest, 'delivered_at')) < since;
    path = isPast ? undefined : nextPage(answer.headers, path);
  }
  return [...tries]
    .filter(([, { count, settled }]) => !settled && count < maxDeliveriesOfOne)
    .map(([delivery, { id }]) => ({ id, delivery }));
}

const hasArrived = (status: number) => status >= 200 && status < 300;
/** What Ebb says of a delivery itself. A 404 comes from what stands before Ebb while that is away. */
const refusals = new Set([400, 401, 403, 409, 413, 415]);

/** The cursor of the next page. @see https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api */
function nextPage(headers: Headers, path: string): string | undefined {
  const [, link] = /<([^<>]+)>;\s*rel="next"/.exec(headers.get('link') ?? '') ?? [];
  const cursor = link && new URL(link).searchParams.get('cursor');
  return cursor ? `${path.split('&cursor=')[0]}&cursor=${encodeURIComponent(cursor)}` : undefined;
}

/** Has nothing done when the hook, or the delivery, is not there any more. */
export async function redeliver(
  api: GithubApi,
  repository: string,
  hookId: string,
  deliveryId: string,
  signal: AbortSignal,
): Promise<void> {
  const path = `/repos/${repository}/hooks/${encodeURIComponent(hookId)}/deliveries/${encodeURIComponent(deliveryId)}/attempts`;
  await unlessHookIsGone(api, repository, { method: 'POST', path, signal });
}

/** Undefined when the repository is there and the hook, or its delivery, is not. */
async function unlessHookIsGone(
  api: GithubApi,
  repository: string,
  request: GithubRequest,
): Promise<RestAnswer | undefined> {
  const level = request.method === 'GET' ? 'read' : 'write';
  try {
    return await api.ask(repository, { repository_hooks: level }, request);
  } catch (error) {
    if (!isStatus(error, 404)) throw error;
    await inspect(api, repository, request.signal);
    return undefined;
  }
}
