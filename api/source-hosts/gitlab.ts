import { createHmac, timingSafeEqual } from 'node:crypto';
import type { HookEvent } from '../../contract/hook-binding.ts';
import { SourceHostError, tooManyBranches, unlessGone } from './errors.ts';
import { repositoryParts } from './repository-path.ts';
import { idOf, inner, listOf, objectOf, textOf } from './rest/fields.ts';
import { createMemories, type HostMemory, type Pace } from './rest/host-memory.ts';
import { isStatus } from './rest/rest-error.ts';
import { createTokenClient, type TokenRequest } from './rest/token-client.ts';
import { type Branch, type CommitStatus, maxBranches, type SourceHost } from './source-host.ts';
import type { HostAccess, HostKind } from './source-hosts.ts';
import { sshAddress } from './ssh-address.ts';
import type { ParseWebhook, WebhookEvent, WebhookRefusal, WebhookRequest } from './webhook-event.ts';
import {
  asksToSkip,
  asObject,
  firstLine,
  hookSecretText,
  idOf as idIn,
  isObjectId,
  isRef,
  isZeros,
  type JsonObject,
  parseObject,
  refuse,
  timeOf,
} from './webhook-parsing.ts';

/** GitLab, gitlab.com or an own one. Its limits count all requests of a minute; changes are spread a little. */
export function gitlabKind(pace: Pace = { create: 500, change: 200 }): HostKind {
  const memoryOf = createMemories(pace);
  return {
    events: ['push', 'pull_request'],
    publishesHostKeys: false,
    parseWebhook: parseGitlabWebhook,
    settingsPage: (url = site, repository, of) =>
      `${url}/${repository}/-/${of === 'hooks' ? 'hooks' : 'settings/repository'}`,
    open: (access) => createGitlabSourceHost(access, memoryOf(access.connectionId)),
  };
}

const site = 'https://gitlab.com';
// Groups have groups in them, up to twenty: https://docs.gitlab.com/user/group/subgroups/
const maxDepth = 22;
const states: Record<CommitStatus['state'], string> = {
  ...{ pending: 'pending', success: 'success', failure: 'failed' },
  error: 'failed',
};

/** @see https://docs.gitlab.com/api/rest/ */
function createGitlabSourceHost(access: HostAccess, memory: HostMemory): SourceHost {
  const headers = { accept: 'application/json', 'user-agent': 'ebb' };
  const parts = {
    host: 'GitLab',
    baseUrl: `${access.url ?? site}/api/v4`,
    headers,
    memory,
    fetch: access.fetch,
  };
  const ask = createTokenClient(access, parts, (token) => ({ 'private-token': token }));
  const at = (repository: string) =>
    `/projects/${encodeURIComponent(repositoryParts(repository, maxDepth).join('/'))}`;
  const get = (path: string, signal: AbortSignal, follow = false) =>
    ask({ method: 'GET', path, signal, follow });

  const inspect: SourceHost['inspect'] = async (repository, signal) => {
    const found = objectOf(await get(at(repository), signal, true));
    const name = textOf(found, 'path_with_namespace');
    if (name.toLowerCase() === repository.toLowerCase()) {
      // Null in a repository without a commit.
      const defaultBranch = typeof found.default_branch === 'string' ? found.default_branch : 'main';
      return { id: idOf(found), defaultBranch };
    }
    const message = `GitLab has ${repository} under the name ${name} now: it was renamed or transferred. Set repository to "${name}".`;
    throw new SourceHostError('repository_moved', message);
  };
  /** Undefined when there is no such thing in a repository that is there. */
  const existing = async (repository: string, path: string, signal: AbortSignal) => {
    const answer = await unlessGone(() => get(`${at(repository)}${path}`, signal));
    if (!answer) await inspect(repository, signal);
    return answer && objectOf(answer);
  };
  const change = async (repository: string, request: TokenRequest) => {
    try {
      return await ask(request);
    } catch (error) {
      if (error instanceof SourceHostError && error.code === 'repository_moved')
        await inspect(repository, request.signal);
      if (!isStatus(error, 403) || error.code !== 'refused') throw error;
      const message = `The token may not do this in ${repository}. It needs the scope "api" and the role Maintainer. ${error.message}`;
      throw new SourceHostError('refused', message, { cause: error });
    }
  };
  /** The first item of a list, over all its pages, that `isIt` says yes to. */
  const look = async (path: string, isIt: (item: JsonObject) => boolean, signal: AbortSignal) => {
    for (let page = 1; ; page += 1) {
      const items = listOf(await get(`${path}?per_page=100&page=${page}`, signal, true));
      const found = items.find(isIt);
      if (found || items.length < 100) return found;
    }
  };
  const sameHook = async (repository: string, url: string, signal: AbortSignal) => {
    const same = await look(`${at(repository)}/hooks`, (hook) => hook.url === url, signal);
    return same && { id: idOf(same) };
  };
  const remove = async (path: string, signal: AbortSignal) => {
    await ask({ method: 'DELETE', path, signal, follow: true });
    return 'removed' as const;
  };

  return {
    kind: 'gitlab',
    async connect(signal) {
      const token = objectOf(await get('/personal_access_tokens/self', signal));
      const scopes = Array.isArray(token.scopes) ? token.scopes : [];
      if (!scopes.includes('api')) {
        const message = `The token lacks the scope "api"; it has ${scopes.join(', ') || 'none'}. Make one with it, of a project or group, with the role Maintainer.`;
        throw new SourceHostError('refused', message);
      }
      return { hostKeys: [] };
    },
    inspect,
    async resolveRef(repository, ref, signal) {
      const [, kind, name = ''] = /^refs\/(heads|tags)\/([^\s~^:?*[\\]+)$/.exec(ref) ?? [];
      if (kind === undefined) return undefined;
      const list = kind === 'heads' ? 'branches' : 'tags';
      const found = await existing(repository, `/repository/${list}/${encodeURIComponent(name)}`, signal);
      return found?.name === name ? { commit: textOf(inner(found, 'commit'), 'id') } : undefined;
    },
    clone(repository) {
      const path = `/${repositoryParts(repository, maxDepth).join('/')}.git`;
      return { user: 'git', ...sshAddress(access, site), path, hostKeys: access.hostKeys };
    },
    async addDeployKey(repository, { title, publicKey }, signal) {
      const body = { title, key: publicKey, can_push: false };
      const path = `${at(repository)}/deploy_keys`;
      try {
        // A key that the project has already is answered as it is.
        const added = objectOf(await change(repository, { method: 'POST', path, body, signal }));
        if (added.can_push !== true) return { id: idOf(added) };
      } catch (error) {
        if (!isStatus(error, 400) || !/already been taken/i.test(error.message)) throw error;
        const message =
          'GitLab has this key already, as the key of an account or of a project that the token does not reach. Remove it there.';
        throw new SourceHostError('key_in_use', message);
      }
      const message = 'GitLab has this key already, with write access. Remove it there, then try again.';
      throw new SourceHostError('refused', message);
    },
    findDeployKey: (repository, id, signal) =>
      unlessGone(async () => {
        const path = `${at(repository)}/deploy_keys/${encodeURIComponent(id)}`;
        const key = objectOf(await get(path, signal, true));
        return { id: idOf(key), title: textOf(key, 'title'), publicKey: textOf(key, 'key') };
      }),
    async lookUpDeployKey(repository, publicKey, signal) {
      const blob = (line: unknown) => String(line).split(' ')[1];
      const path = `${at(repository)}/deploy_keys`;
      const key = await look(path, (one) => blob(one.key) === blob(publicKey), signal);
      return key && { id: idOf(key), title: textOf(key, 'title'), publicKey: textOf(key, 'key') };
    },
    removeDeployKey: (repository, id, signal) =>
      unlessGone(
        async () => await remove(`${at(repository)}/deploy_keys/${encodeURIComponent(id)}`, signal),
        'absent' as const,
      ),
    async addHook(repository, { id, url, secret, events }, signal) {
      const path = `${at(repository)}/hooks`;
      const body = {
        url,
        token: hookSecretText(secret),
        // A new GitLab signs with this; older ones know no such field and send the token alone.
        signing_token: `whsec_${secret.toString('base64')}`,
        push_events: events.includes('push'),
        tag_push_events: events.includes('push'),
        merge_requests_events: events.includes('pull_request'),
        enable_ssl_verification: true,
        push_events_branch_filter: '',
        branch_filter_strategy: 'all_branches',
      };
      let same =
        (id === undefined ? undefined : await look(path, (hook) => idOf(hook) === id, signal)) ??
        (await look(path, (hook) => hook.url === url, signal));
      // Changing it does not make GitLab deliver again.
      if (same?.alert_status === 'disabled') {
        const old = `${path}/${idOf(same)}`;
        await unlessGone(() => change(repository, { method: 'DELETE', path: old, signal }));
        same = undefined;
      }
      const answer = await (same
        ? change(repository, { method: 'PUT', path: `${path}/${idOf(same)}`, body, signal })
        : change(repository, { method: 'POST', path, body, signal }));
      return { id: idOf(objectOf(answer)) };
    },
    findHook: (repository, id, signal) =>
      unlessGone(async () => {
        const hook = objectOf(await get(`${at(repository)}/hooks/${encodeURIComponent(id)}`, signal, true));
        const events: HookEvent[] = [];
        if (hook.push_events === true && hook.tag_push_events === true) events.push('push');
        if (hook.merge_requests_events === true) events.push('pull_request');
        return { id: idOf(hook), url: textOf(hook, 'url'), events, active: deliversAll(hook) };
      }),
    lookUpHook: sameHook,
    // https://docs.gitlab.com/api/personal_access_tokens/#revoke-a-personal-access-token; those of projects and groups too.
    async endCredential(signal) {
      await ask({ method: 'DELETE', path: '/personal_access_tokens/self', signal });
    },
    removeHook: (repository, id, signal) =>
      unlessGone(
        async () => await remove(`${at(repository)}/hooks/${encodeURIComponent(id)}`, signal),
        'absent' as const,
      ),
    async listBranches(repository, signal) {
      const branches: Branch[] = [];
      for (let page = 1; ; page += 1) {
        const path = `${at(repository)}/repository/branches?per_page=100&page=${page}`;
        const found = listOf(await get(path, signal));
        for (const branch of found) {
          branches.push({ name: textOf(branch, 'name'), commit: textOf(inner(branch, 'commit'), 'id') });
        }
        if (branches.length > maxBranches) throw tooManyBranches(repository);
        if (found.length < 100) return branches;
      }
    },
    async describeCommit(repository, commit, signal) {
      const path = `/repository/commits/${encodeURIComponent(commit)}`;
      const found = await existing(repository, path, signal);
      return found && { message: textOf(found, 'message'), author: textOf(found, 'author_name') };
    },
    async reportStatus(repository, { commit, state, context, description, url }, signal) {
      const path = `${at(repository)}/statuses/${encodeURIComponent(commit)}`;
      const body = { state: states[state], name: context, description, target_url: url };
      try {
        await change(repository, { method: 'POST', path, body, signal });
      } catch (error) {
        // It takes no state twice; then only the words are the old ones.
        if (!isStatus(error, 400) || !/cannot transition/i.test(error.message)) throw error;
      }
    },
  };
}

/** Whether it delivers everything, to us alone. Neither of its secrets is ever shown, nor that there is none. */
function deliversAll(hook: Record<string, unknown>): boolean {
  const isFiltered =
    hook.branch_filter_strategy !== 'all_branches' && (hook.push_events_branch_filter ?? '') !== '';
  // After many failures it is disabled until somebody turns it on again; after a few, for a while.
  return hook.alert_status !== 'disabled' && hook.enable_ssl_verification !== false && !isFiltered;
}

/**
 * See ParseWebhook. A signature counts where there is one; a GitLab that does not sign sends the secret itself.
 *
 * @see https://docs.gitlab.com/user/project/integrations/webhooks/
 */
const parseGitlabWebhook: ParseWebhook = (request) => {
  const refused = refuseUnauthentic(request);
  if (refused) return refused;
  const { headers, body } = request;
  const delivery =
    idIn(headers['webhook-id']) ?? idIn(headers['idempotency-key']) ?? idIn(headers['x-gitlab-event-uuid']);
  if (delivery === undefined)
    return refuse('malformed', 'Idempotency-Key must be an id of 1 to 100 letters, digits and "-".');
  const payload = parseObject(body);
  const project = asObject(payload?.project);
  const repository = project?.path_with_namespace;
  const repositoryId = idIn(project?.id);
  if (!payload || repositoryId === undefined || !isPath(repository)) {
    const detail = 'The body must be a JSON object with "project", its "id" and "path_with_namespace".';
    return refuse('malformed', detail);
  }
  // A push says no time of its own; its id is signed, or the secret itself is sent.
  const about = { delivery, repository, repositoryId, bodyMayRepeat: true as const };
  if (payload.object_kind === 'push' || payload.object_kind === 'tag_push') return parsePush(payload, about);
  if (payload.object_kind === 'merge_request') return parseMergeRequest(payload, about);
  return { event: 'other', ...about };
};

function refuseUnauthentic(request: WebhookRequest): WebhookRefusal | undefined {
  const { headers, body, secret } = request;
  const signature = headers['webhook-signature'];
  if (signature !== undefined) {
    const signed = Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`);
    const expected = createHmac('sha256', secret).update(signed).update(body).digest();
    const fits = String(signature)
      .split(' ')
      .map((one) => Buffer.from(one.replace(/^v1,/, ''), 'base64'))
      .some((given) => given.length === expected.length && timingSafeEqual(given, expected));
    return fits && secret.length > 0
      ? undefined
      : refuse('signature_invalid', 'webhook-signature does not fit the body and the secret of this hook.');
  }
  const token = headers['x-gitlab-token'];
  if (token === undefined) return refuse('signature_missing', 'The header X-Gitlab-Token is missing.');
  // As digests they have one length, so that comparing tells nothing of it.
  const digest = (text: string) => createHmac('sha256', 'ebb').update(text).digest();
  return secret.length > 0 && timingSafeEqual(digest(String(token)), digest(hookSecretText(secret)))
    ? undefined
    : refuse('signature_invalid', 'X-Gitlab-Token is not the secret of this hook.');
}

function isPath(value: unknown): value is string {
  return typeof value === 'string' && /^[\w.-]{1,255}(\/[\w.-]{1,255}){1,21}$/.test(value);
}

type About = Pick<WebhookEvent, 'delivery' | 'repository' | 'repositoryId' | 'bodyMayRepeat'>;

function parsePush(payload: JsonObject, about: About): WebhookEvent | WebhookRefusal {
  const { ref, before, after, checkout_sha: head, commits } = payload;
  if (!isRef(ref)) return refuse('malformed', '"ref" must be a full ref such as "refs/heads/main".');
  if (!isObjectId(before) || !isObjectId(after))
    return refuse('malformed', '"before" and "after" must be full object ids.');
  const deleted = isZeros(after);
  const commit = !deleted && isObjectId(head) ? head : after;
  const listed = (Array.isArray(commits) ? commits : []).map(asObject);
  const described = listed.find((one) => one?.id === commit);
  return {
    event: 'push',
    ...about,
    ...{ ref, before, commit, deleted },
    message: firstLine(described?.message),
    author: firstLine(asObject(described?.author)?.name),
    skip: asksToSkip(described?.message),
  };
}

function parseMergeRequest(payload: JsonObject, about: About): WebhookEvent | WebhookRefusal {
  const request = asObject(payload.object_attributes) ?? {};
  const { iid, action, oldrev, source_branch: headBranch, target_branch: baseBranch } = request;
  const commit = asObject(request.last_commit)?.id;
  if (typeof iid !== 'number' || !Number.isSafeInteger(iid) || iid < 1)
    return refuse('malformed', '"object_attributes" must have "iid", the number of the merge request.');
  if (!isObjectId(commit) || !isRef(`refs/heads/${headBranch}`) || !isRef(`refs/heads/${baseBranch}`)) {
    const detail =
      '"object_attributes" must have "last_commit" with its "id", "source_branch" and "target_branch".';
    return refuse('malformed', detail);
  }
  const at = timeOf(request.updated_at);
  const isNew = action === 'open' || action === 'reopen' || (action === 'update' && oldrev !== undefined);
  const isOver = action === 'close' || action === 'merge';
  return {
    event: 'pull_request',
    ...about,
    ...(at ? { at } : {}),
    action: isNew ? 'changed' : isOver ? 'closed' : 'other',
    number: iid,
    ref: `refs/merge-requests/${iid}/head`,
    commit,
    headBranch: String(headBranch),
    baseBranch: String(baseBranch),
    fromFork: idIn(request.source_project_id) !== about.repositoryId,
    title: firstLine(request.title),
    author: firstLine(asObject(payload.user)?.username),
  };
}
