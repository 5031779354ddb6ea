import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { SourceHostError } from '../errors.ts';
import { objectOf, textOf } from '../rest/fields.ts';
import type { RestClient } from '../rest/rest-client.ts';
import { RestError } from '../rest/rest-error.ts';
import { withCredential } from '../rest/token-client.ts';
import type { HostAccess } from '../source-hosts.ts';
import { namesOf, type Permissions } from './github-permissions.ts';

/** A GitHub App where it is installed. */
export interface GithubApp {
  appId: string;
  installationId: string;
}

/** What a token is good for; without a repository it reaches all that the installation reaches. */
export interface TokenScope {
  repositoryId?: string;
  permissions: Permissions;
}

/**
 * What an App signs to show that it is itself: good for nine minutes, begun a minute ago because clocks differ.
 *
 * @see https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
 */
export async function appToken(access: HostAccess, { appId }: GithubApp): Promise<string> {
  const key = await withCredential(access, privateKey);
  const now = Math.floor(Date.now() / 1000);
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const signed = `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode({ iat: now - 60, exp: now + 540, iss: appId })}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}

function privateKey(pem: Buffer): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    const message =
      'private_key is no private key in PEM format. Give the file that GitHub made for the App, whole.';
    throw new SourceHostError('refused', message);
  }
}

/**
 * Has GitHub mint a token for one request, for this scope alone; it is kept nowhere and shared with nobody. By the
 * repository's id, since a name may be of another repository tomorrow.
 *
 * @see https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
 */
export async function mintToken(
  client: RestClient,
  { access, app, scope }: { access: HostAccess; app: GithubApp; scope: TokenScope },
  signal: AbortSignal,
): Promise<string> {
  const { repositoryId, permissions } = scope;
  try {
    const answer = await client({
      method: 'POST',
      path: `/app/installations/${encodeURIComponent(app.installationId)}/access_tokens`,
      body: {
        permissions,
        ...(repositoryId === undefined ? {} : { repository_ids: [Number(repositoryId)] }),
      },
      authorize: async () => ({ authorization: `Bearer ${await appToken(access, app)}` }),
      signal,
      repeatable: true,
    });
    return textOf(objectOf(answer), 'token');
  } catch (error) {
    throw error instanceof RestError ? tokenError(error, permissions) : error;
  }
}

/** What GitHub's no means here; limits and failures of the host mean the same everywhere. */
function tokenError(error: RestError, permissions: Permissions): RestError {
  const say = (code: 'unauthorized' | 'refused' | 'repository_not_found', message: string) =>
    new RestError(code, message, error.answer);
  if (error.status === 401) {
    const message =
      'GitHub does not take the private key of this App: it was deleted there, or app_id is of another App. Make a new private key.';
    return say('unauthorized', message);
  }
  if (error.status === 404) {
    const message =
      'GitHub knows no such installation of the App: it was uninstalled, or installation_id is of another App.';
    return say('unauthorized', message);
  }
  if (error.status === 403 && error.code === 'refused') {
    const message =
      "The App's installation is suspended, or GitHub forbids it to act. Look at the installation there.";
    return say('unauthorized', message);
  }
  if (error.status === 422 && /permission/i.test(error.message)) {
    const message = `The App's installation lacks a permission. It needs: ${namesOf(permissions)}. Change the App, then accept the change at the installation.`;
    return say('refused', message);
  }
  if (error.status === 422) {
    const message =
      'GitHub shows no such repository to the App. Check its name, and that the installation includes it.';
    return say('repository_not_found', message);
  }
  return error;
}
