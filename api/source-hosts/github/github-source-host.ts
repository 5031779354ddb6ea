import { SourceHostError, unlessGone } from '../errors.ts';
import { repositoryParts } from '../repository-path.ts';
import { idOf, inner, listOf, objectOf, textOf } from '../rest/fields.ts';
import type { HostMemory } from '../rest/host-memory.ts';
import { isStatus, type RestAnswer } from '../rest/rest-error.ts';
import { type Branch, type CommitStatus, maxBranches, type SourceHost } from '../source-host.ts';
import type { HostAccess } from '../source-hosts.ts';
import { sshAddress } from '../ssh-address.ts';
import { createGithubApi, type GithubApi, type GithubRequest, type Permissions } from './github-api.ts';
import { checkCredential } from './github-connect.ts';
import { addHook, failedDeliveries, findHook, lookUpHook, redeliver, removeHook } from './github-hooks.ts';
import { addKey, findKey, lookUpKey, removeKey } from './github-keys.ts';

/** GitHub, or GitHub Enterprise, with the credential of one connection. A repository is `owner/name`. */
export function createGithubSourceHost(access: HostAccess, memory: HostMemory): SourceHost {
  const api = withNewName(createGithubApi(access, memory));
  const at = <T extends unknown[], R>(
    call: (api: GithubApi, repository: string, ...rest: T) => Promise<R>,
  ) => {
    return async (repository: string, ...rest: T) =>
      await call(api, repositoryParts(repository).join('/'), ...rest);
  };
  return {
    kind: 'github',
    async connect(signal) {
      await checkCredential(api, signal);
      return { hostKeys: await publishedKeys(api, signal) };
    },
    inspect: at(inspect),
    resolveRef: at(resolveRef),
    clone(repository) {
      const path = `/${repositoryParts(repository).join('/')}.git`;
      const { host, port } = sshAddress(access, 'https://github.com');
      return { user: 'git', host, port, path, hostKeys: access.hostKeys };
    },
    addDeployKey: at(addKey),
    findDeployKey: unlessImpossible(at(findKey), undefined),
    lookUpDeployKey: at(lookUpKey),
    removeDeployKey: unlessImpossible(at(removeKey), 'absent' as const),
    addHook: at(addHook),
    findHook: unlessImpossible(at(findHook), undefined),
    lookUpHook: at(lookUpHook),
    removeHook: unlessImpossible(at(removeHook), 'absent' as const),
    listBranches: at(listBranches),
    describeCommit: at(describeCommit),
    reportStatus: at(reportStatus),
    failedDeliveries: at(failedDeliveries),
    redeliver: at(redeliver),
  };
}

/** What has an impossible name is not there. */
function unlessImpossible<T extends unknown[], R, D>(call: (...args: T) => Promise<R>, otherwise: D) {
  return async (...args: T): Promise<R | D> => await unlessGone(() => call(...args), otherwise);
}

/** Tells the new name of a repository that was renamed or transferred. */
function withNewName(api: GithubApi): GithubApi {
  const ask = async (repository: string, permissions: Permissions, request: GithubRequest) => {
    try {
      return await api.ask(repository, permissions, request);
    } catch (error) {
      if (!(error instanceof SourceHostError) || error.code !== 'repository_moved') throw error;
      const { signal } = request;
      const now = await api.ask(
        repository,
        { metadata: 'read' },
        { method: 'GET', path: `/repos/${repository}`, signal, follow: true },
      );
      throw moved(repository, textOf(objectOf(now), 'full_name'));
    }
  };
  return { ...api, ask };
}

function moved(repository: string, name: string): SourceHostError {
  const message = `GitHub has ${repository} under the name ${name} now: it was renamed or transferred. Set repository to "${name}".`;
  return new SourceHostError('repository_moved', message);
}

/** @see https://docs.github.com/en/rest/meta/meta#get-github-meta-information */
async function publishedKeys(api: GithubApi, signal: AbortSignal): Promise<string[]> {
  const meta = objectOf(await api.askAsSelf({ method: 'GET', path: '/meta', signal }));
  const { ssh_keys: keys } = meta;
  return Array.isArray(keys) ? keys.filter((key) => typeof key === 'string') : [];
}

async function inspect(api: GithubApi, repository: string, signal: AbortSignal) {
  const path = `/repos/${repository}`;
  const answer = objectOf(await api.ask(repository, { metadata: 'read' }, { method: 'GET', path, signal }));
  if (textOf(answer, 'full_name').toLowerCase() !== repository.toLowerCase()) {
    throw moved(repository, textOf(answer, 'full_name'));
  }
  return { id: idOf(answer), defaultBranch: textOf(answer, 'default_branch') };
}

/** @see https://docs.github.com/en/rest/git/refs#get-a-reference */
async function resolveRef(api: GithubApi, repository: string, ref: string, signal: AbortSignal) {
  if (!/^refs\/(heads|tags|pull)\/[^\s~^:?*[\\]+$/.test(ref)) return undefined;
  const name = ref.slice('refs/'.length).split('/').map(encodeURIComponent).join('/');
  const read = async (path: string) =>
    await existing(api, repository, { method: 'GET', path: `/repos/${repository}/git/${path}`, signal });
  const answer = await read(`ref/${name}`);
  const found = answer && objectOf(answer);
  if (!found || found.ref !== ref) return undefined;
  let object = inner(found, 'object');
  // A tag may point at a tag.
  for (let depth = 0; object.type === 'tag' && depth < 5; depth += 1) {
    const tag = await read(`tags/${textOf(object, 'sha')}`);
    object = tag ? inner(objectOf(tag), 'object') : {};
  }
  return object.type === 'commit' ? { commit: textOf(object, 'sha') } : undefined;
}

/** Undefined when there is no such thing in the repository, also because that is empty; throws when that is not there. */
async function existing(
  api: GithubApi,
  repository: string,
  request: GithubRequest,
): Promise<RestAnswer | undefined> {
  try {
    return await api.ask(repository, { contents: 'read' }, request);
  } catch (error) {
    if (isStatus(error, 404)) {
      await inspect(api, repository, request.signal);
      return undefined;
    }
    if (isStatus(error, 409) || (isStatus(error, 422) && /sha/i.test(error.message))) return undefined;
    throw error;
  }
}

/** @see https://docs.github.com/en/rest/branches/branches#list-branches */
async function listBranches(api: GithubApi, repository: string, signal: AbortSignal): Promise<Branch[]> {
  const branches: Branch[] = [];
  for (let page = 1; ; page += 1) {
    const path = `/repos/${repository}/branches?per_page=100&page=${page}`;
    const found = listOf(await api.ask(repository, { contents: 'read' }, { method: 'GET', path, signal }));
    for (const branch of found) {
      branches.push({ name: textOf(branch, 'name'), commit: textOf(inner(branch, 'commit'), 'sha') });
    }
    if (found.length < 100) return branches;
    if (branches.length >= maxBranches) {
      throw new SourceHostError('refused', `The repository has more than ${maxBranches} branches.`);
    }
  }
}

/** @see https://docs.github.com/en/rest/git/commits#get-a-commit-object */
async function describeCommit(api: GithubApi, repository: string, commit: string, signal: AbortSignal) {
  const path = `/repos/${repository}/git/commits/${encodeURIComponent(commit)}`;
  const answer = await existing(api, repository, { method: 'GET', path, signal });
  if (!answer) return undefined;
  const found = objectOf(answer);
  return { message: textOf(found, 'message'), author: textOf(inner(found, 'author'), 'name') };
}

/** @see https://docs.github.com/en/rest/commits/statuses#create-a-commit-status */
async function reportStatus(
  api: GithubApi,
  repository: string,
  { commit, state, context, description, url }: CommitStatus,
  signal: AbortSignal,
): Promise<void> {
  const path = `/repos/${repository}/statuses/${encodeURIComponent(commit)}`;
  const body = { state, context, description: description.slice(0, 140), target_url: url };
  await api.ask(repository, { statuses: 'write' }, { method: 'POST', path, body, signal });
}
