import type { HookEvent } from '../../contract/hook-binding.ts';
import { SourceHostError, tooManyBranches, unlessGone } from './errors.ts';
import { parseEvent } from './github/github-webhook.ts';
import { repositoryParts } from './repository-path.ts';
import { idOf, inner, listOf, objectOf, textOf } from './rest/fields.ts';
import { createMemories, type HostMemory, type Pace } from './rest/host-memory.ts';
import { isStatus } from './rest/rest-error.ts';
import { createTokenClient, type TokenRequest } from './rest/token-client.ts';
import { type Branch, maxBranches, type SourceHost } from './source-host.ts';
import type { HostAccess, HostKind } from './source-hosts.ts';
import { sshAddress } from './ssh-address.ts';
import type { ParseWebhook } from './webhook-event.ts';
import {
  idOf as deliveryOf,
  hookSecretText,
  parseObject,
  refuse,
  refuseUnsigned,
} from './webhook-parsing.ts';

/** Gitea and Forgejo, which has the same API. They limit nothing unless their operators do. */
export function giteaKind(pace: Pace = { create: 100, change: 100 }): HostKind {
  const memoryOf = createMemories(pace);
  return {
    events: ['push', 'pull_request'],
    publishesHostKeys: false,
    parseWebhook: parseGiteaWebhook,
    settingsPage: (url, repository, of) =>
      `${url}/${repository}/settings/${of === 'hooks' ? 'hooks' : 'keys'}`,
    open: (access) => createGiteaSourceHost(access, memoryOf(access.connectionId)),
  };
}

const known: readonly HookEvent[] = ['push', 'pull_request'];
const pageSize = 50;

/** @see https://docs.gitea.com/api/ */
function createGiteaSourceHost(access: HostAccess, memory: HostMemory): SourceHost {
  const headers = { accept: 'application/json', 'user-agent': 'ebb' };
  const parts = { host: 'Gitea', baseUrl: `${access.url}/api/v1`, headers, memory, fetch: access.fetch };
  const ask = createTokenClient(access, parts, (token) => ({ authorization: `token ${token}` }));
  const at = (repository: string) => `/repos/${repositoryParts(repository).join('/')}`;
  const get = (path: string, signal: AbortSignal, follow = false) =>
    ask({ method: 'GET', path, signal, follow });

  const inspect: SourceHost['inspect'] = async (repository, signal) => {
    const found = objectOf(await get(at(repository), signal, true));
    const name = textOf(found, 'full_name');
    if (name.toLowerCase() === repository.toLowerCase())
      return { id: idOf(found), defaultBranch: textOf(found, 'default_branch') };
    const message = `Gitea has ${repository} under the name ${name} now: it was renamed or transferred. Set repository to "${name}".`;
    throw new SourceHostError('repository_moved', message);
  };
  /** Undefined when there is no such thing in a repository that is there. */
  const existing = async (repository: string, path: string, signal: AbortSignal) => {
    const answer = await unlessGone(() => get(`${at(repository)}${path}`, signal));
    if (!answer) await inspect(repository, signal);
    return answer;
  };
  const change = async (repository: string, request: TokenRequest) => {
    try {
      return await ask(request);
    } catch (error) {
      if (error instanceof SourceHostError && error.code === 'repository_moved')
        await inspect(repository, request.signal);
      throw error;
    }
  };
  const sameKey = async (repository: string, publicKey: string, signal: AbortSignal) => {
    for (let page = 1; ; page += 1) {
      const keys = listOf(await get(`${at(repository)}/keys?limit=${pageSize}&page=${page}`, signal, true));
      const same = keys.find((key) => textOf(key, 'key').split(' ')[1] === publicKey.split(' ')[1]);
      if (same || keys.length === 0) return same;
    }
  };

  const sameHook = async (repository: string, url: string, signal: AbortSignal) => {
    for (let page = 1; ; page += 1) {
      const path = `${at(repository)}/hooks?limit=${pageSize}&page=${page}`;
      const hooks = listOf(await get(path, signal, true));
      const same = hooks.find((hook) => inner(hook, 'config').url === url);
      if (same || hooks.length === 0) return same && { id: idOf(same) };
    }
  };

  return {
    kind: 'gitea',
    async connect(signal) {
      await get('/repos/search?limit=1&private=true', signal);
      return { hostKeys: [] };
    },
    inspect,
    async resolveRef(repository, ref, signal) {
      if (!/^refs\/(heads|tags|pull)\/[^\s~^:?*[\\]+$/.test(ref)) return undefined;
      const path = ref.slice('refs/'.length).split('/').map(encodeURIComponent).join('/');
      const answer = await existing(repository, `/git/refs/${path}`, signal);
      // It gives every ref that begins like this, as a list when there are several.
      const refs = Array.isArray(answer?.body) ? listOf(answer) : answer ? [objectOf(answer)] : [];
      const found = refs.find((one) => one.ref === ref);
      let object = inner(found ?? {}, 'object');
      for (let depth = 0; object.type === 'tag' && depth < 5; depth += 1) {
        const tag = await existing(repository, `/git/tags/${textOf(object, 'sha')}`, signal);
        object = tag ? inner(objectOf(tag), 'object') : {};
      }
      return object.type === 'commit' ? { commit: textOf(object, 'sha') } : undefined;
    },
    clone(repository) {
      const path = `/${repositoryParts(repository).join('/')}.git`;
      return { user: 'git', ...sshAddress(access, ''), path, hostKeys: access.hostKeys };
    },
    async addDeployKey(repository, { title, publicKey }, signal) {
      const path = `${at(repository)}/keys`;
      const add = async (name: string) => {
        const body = { title: name, key: publicKey, read_only: true };
        return { id: idOf(objectOf(await change(repository, { method: 'POST', path, body, signal }))) };
      };
      // Titles are used once: a rotation adds a second key of the same project.
      const otherTitle = `${title} ${publicKey.split(' ')[1]?.slice(-8)}`;
      return await add(title)
        .catch((error) => {
          if (isStatus(error, 422) && /same name|title/i.test(error.message)) return add(otherTitle);
          throw error;
        })
        .catch(async (error) => {
          if (!isStatus(error, 422)) throw error;
          const same = await sameKey(repository, publicKey, signal);
          if (same?.read_only === true) return { id: idOf(same) };
          if (same) {
            const message = 'Gitea has this key already, with write access. Remove it there, then try again.';
            throw new SourceHostError('refused', message);
          }
          if (!/non-deploy|already/i.test(error.message)) throw error;
          const message = 'Gitea has this key already, as the key of an account. Remove it there.';
          throw new SourceHostError('key_in_use', message);
        });
    },
    findDeployKey: (repository, id, signal) =>
      unlessGone(async () => {
        const key = objectOf(await get(`${at(repository)}/keys/${encodeURIComponent(id)}`, signal, true));
        return { id: idOf(key), title: textOf(key, 'title'), publicKey: textOf(key, 'key') };
      }),
    async lookUpDeployKey(repository, publicKey, signal) {
      const key = await sameKey(repository, publicKey, signal);
      return key && { id: idOf(key), title: textOf(key, 'title'), publicKey: textOf(key, 'key') };
    },
    removeDeployKey: (repository, id, signal) =>
      unlessGone(async () => {
        const path = `${at(repository)}/keys/${encodeURIComponent(id)}`;
        await ask({ method: 'DELETE', path, signal, follow: true });
        return 'removed' as const;
      }, 'absent' as const),
    async addHook(repository, { id, url, secret, events }, signal) {
      const path = `${at(repository)}/hooks`;
      const config = { url, content_type: 'json', secret: hookSecretText(secret) };
      const wanted = { config, events, active: true, branch_filter: '*' };
      const renew = async (hook: string) => {
        const request = { method: 'PATCH' as const, path: `${path}/${encodeURIComponent(hook)}`, signal };
        return (await unlessGone(() => change(repository, { ...request, body: wanted }))) && { id: hook };
      };
      const renewed = id === undefined ? undefined : await renew(id);
      if (renewed) return renewed;
      const same = await sameHook(repository, url, signal);
      if (same) return (await renew(same.id)) ?? same;
      const body = { type: 'gitea', ...wanted };
      return { id: idOf(objectOf(await change(repository, { method: 'POST', path, body, signal }))) };
    },
    findHook: (repository, id, signal) =>
      unlessGone(async () => {
        const hook = objectOf(await get(`${at(repository)}/hooks/${encodeURIComponent(id)}`, signal, true));
        const config = inner(hook, 'config');
        const events = Array.isArray(hook.events) ? hook.events : [];
        return {
          id: idOf(hook),
          url: textOf(config, 'url'),
          events: known.filter((event) => events.includes(event)),
          active: hook.active === true && config.content_type === 'json' && isUnfiltered(hook.branch_filter),
        };
      }),
    lookUpHook: sameHook,
    removeHook: (repository, id, signal) =>
      unlessGone(async () => {
        const path = `${at(repository)}/hooks/${encodeURIComponent(id)}`;
        await ask({ method: 'DELETE', path, signal, follow: true });
        return 'removed' as const;
      }, 'absent' as const),
    async listBranches(repository, signal) {
      const branches: Branch[] = [];
      for (let page = 1; ; page += 1) {
        const path = `${at(repository)}/branches?limit=${pageSize}&page=${page}`;
        const found = listOf(await get(path, signal));
        // An operator may set a smaller page than asked for, so only an empty one is the last.
        if (found.length === 0) return branches;
        for (const branch of found) {
          branches.push({ name: textOf(branch, 'name'), commit: textOf(inner(branch, 'commit'), 'id') });
        }
        if (branches.length > maxBranches) throw tooManyBranches(repository);
      }
    },
    async describeCommit(repository, commit, signal) {
      const path = `/git/commits/${encodeURIComponent(commit)}`;
      const answer = await existing(repository, path, signal);
      if (!answer) return undefined;
      const found = inner(objectOf(answer), 'commit');
      return { message: textOf(found, 'message'), author: textOf(inner(found, 'author'), 'name') };
    },
    async reportStatus(repository, { commit, state, context, description, url }, signal) {
      const path = `${at(repository)}/statuses/${encodeURIComponent(commit)}`;
      const body = { state, context, description, target_url: url };
      await change(repository, { method: 'POST', path, body, signal });
    },
  };
}

/** Nothing, or a pattern that every branch fits. */
function isUnfiltered(filter: unknown): boolean {
  return filter === undefined || filter === '' || filter === '*';
}

/**
 * See ParseWebhook. Signature, event and delivery have the names of Gitea, also when Forgejo sends them.
 *
 * @see https://docs.gitea.com/usage/webhooks
 */
const parseGiteaWebhook: ParseWebhook = (request) => {
  const secret = Buffer.from(hookSecretText(request.secret));
  const unsigned = refuseUnsigned({ ...request, secret }, 'X-Gitea-Signature', /^([0-9a-f]{64})$/);
  secret.fill(0);
  if (unsigned) return unsigned;
  const delivery = deliveryOf(request.headers['x-gitea-delivery']);
  if (delivery === undefined) {
    return refuse('malformed', 'X-Gitea-Delivery must be an id of 1 to 100 letters, digits and "-".');
  }
  const payload = parseObject(request.body);
  if (payload) return parseEvent(request.headers['x-gitea-event'], payload, delivery);
  return refuse('malformed', 'The body must be a JSON object. Set the content type of the hook to JSON.');
};
