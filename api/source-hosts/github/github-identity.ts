import { SourceHostError, unlessGone } from '../errors.ts';
import { idOf, objectOf, textOf } from '../rest/fields.ts';
import type { GithubApi, GithubRequest } from './github-api.ts';
import type { Permissions } from './github-permissions.ts';

const readMetadata = { metadata: 'read' } as const;

/**
 * The same API, which knows a repository by its id: one that was renamed or transferred is told by its new name, and
 * what is removed, looked for or shown beside a commit goes there. GitHub redirects old names only until somebody takes them again.
 */
export function withIdentity(api: GithubApi): GithubApi {
  const { known } = api;
  const nameNow = async (repository: string, signal: AbortSignal): Promise<string | undefined> => {
    if (known?.name !== repository) return undefined;
    const path = `/repositories/${known.id}`;
    const answer = await unlessGone(() => api.ask(repository, readMetadata, { method: 'GET', path, signal }));
    return answer && textOf(objectOf(answer), 'full_name');
  };
  const ask = async (repository: string, permissions: Permissions, request: GithubRequest) => {
    try {
      return await api.ask(repository, permissions, request);
    } catch (error) {
      if (!(error instanceof SourceHostError)) throw error;
      const { signal } = request;
      if (error.code === 'repository_moved') {
        const path = `/repos/${repository}`;
        const now = await api.ask(repository, readMetadata, { method: 'GET', path, signal, follow: true });
        throw moved(repository, textOf(objectOf(now), 'full_name'));
      }
      if (error.code !== 'repository_not_found') throw error;
      // The name leads nowhere or to another repository; ours may be somewhere else.
      const name = await nameNow(repository, signal);
      if (name === undefined || isSame(name, repository)) throw error;
      if (!request.follow) throw moved(repository, name);
      const path = request.path.replace(`/repos/${repository}`, `/repos/${name}`);
      return await api.ask(repository, permissions, { ...request, path });
    }
  };
  return { ...api, ask };
}

/** Throws `repository_moved` when another repository has the name now, `repository_not_found` when none has. */
export async function inspect(api: GithubApi, repository: string, signal: AbortSignal) {
  const path = `/repos/${repository}`;
  const answer = objectOf(await api.ask(repository, readMetadata, { method: 'GET', path, signal }));
  const name = textOf(answer, 'full_name');
  if (!isSame(name, repository)) throw moved(repository, name);
  const id = idOf(answer);
  if (api.known?.name === repository && api.known.id !== id) {
    const message = `GitHub has another repository under the name ${repository} now. Make a project for it, or set repository to the new name of the old one.`;
    throw new SourceHostError('repository_moved', message);
  }
  return { id, defaultBranch: textOf(answer, 'default_branch') };
}

function isSame(name: string, other: string): boolean {
  return name.toLowerCase() === other.toLowerCase();
}

function moved(repository: string, name: string): SourceHostError {
  const message = `GitHub has ${repository} under the name ${name} now: it was renamed or transferred. Set repository to "${name}".`;
  return new SourceHostError('repository_moved', message);
}
