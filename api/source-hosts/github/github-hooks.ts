import type { HookEvent } from '../../../contract/hook-binding.ts';
import { unlessGone } from '../errors.ts';
import { idOf, inner, listOf, objectOf, textOf } from '../rest/fields.ts';
import { isStatus } from '../rest/rest-error.ts';
import type { Delivery, HostedHook, NewHook, Removal } from '../source-host.ts';
import { hookSecretText } from '../webhook-parsing.ts';
import type { GithubApi } from './github-api.ts';

const write = { repository_hooks: 'write' } as const;
const read = { repository_hooks: 'read' } as const;
const known: readonly HookEvent[] = ['push', 'pull_request'];

/** @see https://docs.github.com/en/rest/repos/webhooks#create-a-repository-webhook */
export async function addHook(
  api: GithubApi,
  repository: string,
  { url, secret, events }: NewHook,
  signal: AbortSignal,
): Promise<{ id: string }> {
  const path = `/repos/${repository}/hooks`;
  const config = { url, content_type: 'json', insecure_ssl: '0', secret: hookSecretText(secret) };
  const renew = async () => {
    const same = await hookWithUrl(api, repository, url, signal);
    if (same === undefined) return undefined;
    const body = { active: true, events, config };
    await api.ask(repository, write, { method: 'PATCH', path: `${path}/${same}`, body, signal });
    return { id: same };
  };
  const renewed = await renew();
  if (renewed) return renewed;
  const body = { name: 'web', active: true, events, config };
  try {
    return { id: idOf(objectOf(await api.ask(repository, write, { method: 'POST', path, body, signal }))) };
  } catch (error) {
    // Another attempt may have come first.
    const other = isStatus(error, 422) && /already exists/i.test(error.message) ? await renew() : undefined;
    if (other) return other;
    throw error;
  }
}

async function hookWithUrl(
  api: GithubApi,
  repository: string,
  url: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  // GitHub keeps at most 20 hooks for an event of a repository.
  const path = `/repos/${repository}/hooks?per_page=100`;
  const hooks = listOf(await api.ask(repository, read, { method: 'GET', path, signal, follow: true }));
  const same = hooks.find((hook) => inner(hook, 'config').url === url);
  return same && idOf(same);
}

export async function lookUpHook(
  api: GithubApi,
  repository: string,
  url: string,
  signal: AbortSignal,
): Promise<{ id: string } | undefined> {
  const id = await hookWithUrl(api, repository, url, signal);
  return id === undefined ? undefined : { id };
}

export async function findHook(
  api: GithubApi,
  repository: string,
  id: string,
  signal: AbortSignal,
): Promise<HostedHook | undefined> {
  const path = `/repos/${repository}/hooks/${encodeURIComponent(id)}`;
  return await unlessGone(async () => {
    const hook = objectOf(await api.ask(repository, read, { method: 'GET', path, signal, follow: true }));
    const config = inner(hook, 'config');
    const events = Array.isArray(hook.events) ? hook.events : [];
    return {
      id: idOf(hook),
      url: textOf(config, 'url'),
      events: known.filter((event) => events.includes(event) || events.includes('*')),
      active: hook.active === true && config.content_type === 'json',
    };
  });
}

export async function removeHook(
  api: GithubApi,
  repository: string,
  id: string,
  signal: AbortSignal,
): Promise<Removal> {
  const path = `/repos/${repository}/hooks/${encodeURIComponent(id)}`;
  return await unlessGone(async () => {
    await api.ask(repository, write, { method: 'DELETE', path, signal, follow: true });
    return 'removed' as const;
  }, 'absent' as const);
}

// Enough for a delivery that failed while Ebb was away, and an end for one that fails for ever.
const maxDeliveriesOfOne = 4;
const maxPages = 5;

/**
 * Deliveries of which no attempt succeeded, newest first.
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
  const tries = new Map<string, { id: string; count: number; arrived: boolean }>();
  let path: string | undefined =
    `/repos/${repository}/hooks/${encodeURIComponent(hookId)}/deliveries?per_page=100`;
  for (let page = 0; path !== undefined && page < maxPages; page += 1) {
    const answer = await api.ask(repository, read, { method: 'GET', path, signal });
    const deliveries = listOf(answer);
    for (const delivery of deliveries) {
      if (new Date(textOf(delivery, 'delivered_at')) < since) continue;
      const guid = textOf(delivery, 'guid');
      const status = Number(delivery.status_code);
      const seen = tries.get(guid) ?? { id: idOf(delivery), count: 0, arrived: false };
      tries.set(guid, {
        ...seen,
        count: seen.count + 1,
        arrived: seen.arrived || (status >= 200 && status < 300),
      });
    }
    const oldest = deliveries.at(-1);
    const isPast = oldest === undefined || new Date(textOf(oldest, 'delivered_at')) < since;
    path = isPast ? undefined : nextPage(answer.headers, path);
  }
  return [...tries]
    .filter(([, { count, arrived }]) => !arrived && count < maxDeliveriesOfOne)
    .map(([delivery, { id }]) => ({ id, delivery }));
}

/** The cursor of the next page. @see https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api */
function nextPage(headers: Headers, path: string): string | undefined {
  const [, link] = /<([^>]+)>;\s*rel="next"/.exec(headers.get('link') ?? '') ?? [];
  const cursor = link && new URL(link).searchParams.get('cursor');
  return cursor ? `${path.split('&cursor=')[0]}&cursor=${encodeURIComponent(cursor)}` : undefined;
}

export async function redeliver(
  api: GithubApi,
  repository: string,
  hookId: string,
  deliveryId: string,
  signal: AbortSignal,
): Promise<void> {
  const path = `/repos/${repository}/hooks/${encodeURIComponent(hookId)}/deliveries/${encodeURIComponent(deliveryId)}/attempts`;
  await api.ask(repository, write, { method: 'POST', path, signal });
}
