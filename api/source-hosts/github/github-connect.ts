import { SourceHostError } from '../errors.ts';
import { inner, listOf, objectOf, textOf } from '../rest/fields.ts';
import { isStatus } from '../rest/rest-error.ts';
import type { GithubApi } from './github-api.ts';
import { namesOf, neededPermissions, type Permission, type Permissions } from './github-permissions.ts';

/** Checks the credential and its permissions. Throws SourceHostError `unauthorized`, or `refused` with what is missing. */
export async function checkCredential(api: GithubApi, signal: AbortSignal): Promise<void> {
  await (api.app ? checkInstallation(api, api.app.installationId, signal) : checkToken(api, signal));
}

/** @see https://docs.github.com/en/rest/apps/apps#get-an-installation-for-the-authenticated-app */
async function checkInstallation(api: GithubApi, id: string, signal: AbortSignal): Promise<void> {
  const answer = await api
    .askAsSelf({ method: 'GET', path: `/app/installations/${id}`, signal })
    .catch((error) => {
      if (!isStatus(error, 404)) throw error;
      const message = `GitHub knows no installation ${id} of this App. Take installation_id from the address of the installation's page.`;
      throw new SourceHostError('refused', message);
    });
  const installation = objectOf(answer);
  if (typeof installation.suspended_at === 'string') {
    throw new SourceHostError('refused', 'The App is suspended at this owner. Unsuspend it there.');
  }
  const granted = inner(installation, 'permissions');
  const missing = Object.entries(neededPermissions).filter(
    ([name, level]) => granted[name] !== 'write' && granted[name] !== level,
  );
  if (missing.length === 0) return;
  const message = `The App's installation lacks: ${namesOf(Object.fromEntries(missing) as Permissions)}. Change the App's permissions, then accept the change at the installation.`;
  throw new SourceHostError('refused', message);
}

// What a token may do is not told. Reading shows that it reaches; a lack of writing shows when the first key is added.
const probes: [Permission, string][] = [
  ['administration', '/keys?per_page=1'],
  ['repository_hooks', '/hooks?per_page=1'],
  ['contents', '/branches?per_page=1'],
];

/** @see https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/managing-your-personal-access-tokens */
async function checkToken(api: GithubApi, signal: AbortSignal): Promise<void> {
  const { headers } = await api.askAsSelf({ method: 'GET', path: '/user', signal });
  if (headers.get('x-oauth-scopes')) {
    const message =
      'This is a classic token, which reaches every repository of its owner. Make a fine-grained token for the repositories to be built.';
    throw new SourceHostError('refused', message);
  }
  const reachable = listOf(await api.askAsSelf({ method: 'GET', path: '/user/repos?per_page=1', signal }));
  const [repository] = reachable;
  if (!repository) return;
  const missing: Permissions = {};
  for (const [permission, path] of probes) {
    try {
      await api.askAsSelf({
        method: 'GET',
        path: `/repos/${textOf(repository, 'full_name')}${path}`,
        signal,
      });
    } catch (error) {
      // A repository of others, which anybody can read: it says nothing of the token.
      if (!isStatus(error, 403, 404) || error.code === 'rate_limited') throw error;
      if (neededPermissions[permission]) missing[permission] = neededPermissions[permission];
    }
  }
  if (Object.keys(missing).length === 0) return;
  const message = `The token lacks: ${namesOf(missing)}, for ${textOf(repository, 'full_name')}. It needs: ${namesOf(neededPermissions)}.`;
  throw new SourceHostError('refused', message);
}
