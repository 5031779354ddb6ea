import { inner, listOf, objectOf, textOf } from '../rest/fields.ts';
import { isStatus, type RestAnswer } from '../rest/rest-error.ts';
import type { Branch, CommitStatus } from '../source-host.ts';
import type { GithubApi, GithubRequest } from './github-api.ts';
import { inspect } from './github-identity.ts';

/** @see https://docs.github.com/en/rest/git/refs#get-a-reference */
export async function resolveRef(api: GithubApi, repository: string, ref: string, signal: AbortSignal) {
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

/** In one answer, whatever their number. @see https://docs.github.com/en/rest/git/refs#list-matching-references */
export async function listBranches(
  api: GithubApi,
  repository: string,
  signal: AbortSignal,
): Promise<Branch[]> {
  const prefix = 'refs/heads/';
  const path = `/repos/${repository}/git/matching-refs/heads/`;
  const answer = await existing(api, repository, { method: 'GET', path, signal });
  return (answer ? listOf(answer) : [])
    .map((ref) => ({ name: textOf(ref, 'ref'), commit: textOf(inner(ref, 'object'), 'sha') }))
    .filter(({ name }) => name.startsWith(prefix))
    .map(({ name, commit }) => ({ name: name.slice(prefix.length), commit }));
}

/** @see https://docs.github.com/en/rest/git/commits#get-a-commit-object */
export async function describeCommit(
  api: GithubApi,
  repository: string,
  commit: string,
  signal: AbortSignal,
) {
  const path = `/repos/${repository}/git/commits/${encodeURIComponent(commit)}`;
  const answer = await existing(api, repository, { method: 'GET', path, signal });
  if (!answer) return undefined;
  const found = objectOf(answer);
  return { message: textOf(found, 'message'), author: textOf(inner(found, 'author'), 'name') };
}

/** @see https://docs.github.com/en/rest/commits/statuses#create-a-commit-status */
export async function reportStatus(
  api: GithubApi,
  repository: string,
  { commit, state, context, description, url }: CommitStatus,
  signal: AbortSignal,
): Promise<void> {
  const path = `/repos/${repository}/statuses/${encodeURIComponent(commit)}`;
  const body = { state, context, description: description.slice(0, 140), target_url: url };
  await api.ask(repository, { statuses: 'write' }, { method: 'POST', path, body, signal, follow: true });
}
