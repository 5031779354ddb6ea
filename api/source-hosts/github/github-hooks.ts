import type { HookEvent } from '../../../contract/hook-binding.ts';
import { unlessGone } from '../errors.ts';
import { idOf, inner, listOf, objectOf, textOf } from '../rest/fields.ts';
import { isStatus } from '../rest/rest-error.ts';
import type { HostedHook, NewHook, Removal } from '../source-host.ts';
import { hookSecretText } from '../webhook-parsing.ts';
import type { GithubApi } from './github-api.ts';

const write = { repository_hooks: 'write' } as const;
const read = { repository_hooks: 'read' } as const;
const known: readonly HookEvent[] = ['push', 'pull_request'];

/** @see https://docs.github.com/en/rest/repos/webhooks#create-a-repository-webhook */
export async function addHook(
  api: GithubApi,
  repository: string,
  { id, url, secret, events }: NewHook,
  signal: AbortSignal,
): Promise<{ id: string }> {
  const path = `/repos/${repository}/hooks`;
  const config = { url, content_type: 'json', insecure_ssl: '0', secret: hookSecretText(secret) };
  const renew = async (hook: string | undefined) => {
    if (hook === undefined) return undefined;
    const body = { active: true, events, config };
    const request = { method: 'PATCH' as const, path: `${path}/${encodeURIComponent(hook)}`, body, signal };
    return (await unlessGone(() => api.ask(repository, write, request))) && { id: hook };
  };
  const renewSame = async () => await renew(await hookWithUrl(api, repository, url, signal));
  const renewed = (await renew(id)) ?? (await renewSame());
  if (renewed) return renewed;
  const body = { name: 'web', active: true, events, config };
  try {
    return { id: idOf(objectOf(await api.ask(repository, write, { method: 'POST', path, body, signal }))) };
  } catch (error) {
    // Another attempt may have come first.
    const other =
      isStatus(error, 422) && /already exists/i.test(error.message) ? await renewSame() : undefined;
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
      active: hook.active === true && isAsSet(config),
    };
  });
}

/** GitHub shows stars in place of a secret, and nothing where there is none. */
function isAsSet({ content_type, insecure_ssl = '0', secret }: Record<string, unknown>): boolean {
  return content_type === 'json' && String(insecure_ssl) === '0' && typeof secret === 'string';
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
