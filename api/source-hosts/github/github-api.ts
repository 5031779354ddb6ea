import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { createAppAuth } from '@octokit/auth-app';
import { request } from '@octokit/request';
import { SourceHostError } from '../errors.ts';
import type { HostMemory } from '../rest/host-memory.ts';
import { createRestClient, type RestRequest } from '../rest/rest-client.ts';
import { isStatus, type RestAnswer, RestError } from '../rest/rest-error.ts';
import { withCredential } from '../rest/token-client.ts';
import type { HostAccess } from '../source-hosts.ts';

/** Permissions of a GitHub App, as GitHub names them in its API. */
export type Permission = 'administration' | 'repository_hooks' | 'contents' | 'statuses' | 'metadata';
export type Permissions = Partial<Record<Permission, 'read' | 'write'>>;

export type GithubRequest = Omit<RestRequest, 'headers'>;

/** GitHub's REST API with the credential of one connection. */
export interface GithubApi {
  /** Who is asked as: an App has an installation, whose permissions can be looked up. */
  readonly app: { appId: string; installationId: string } | undefined;
  /** Asks about one repository, with a token that reaches nothing else and may do nothing else, where there is an App. */
  ask(repository: string, permissions: Permissions, request: GithubRequest): Promise<RestAnswer>;
  /** Asks as the App itself, or with the token. */
  askAsSelf(request: GithubRequest): Promise<RestAnswer>;
}

const publicApi = 'https://api.github.com';

/**
 * Where the REST API of a site is.
 *
 * @see https://docs.github.com/en/enterprise-server/rest/quickstart
 * @see https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency
 */
export function apiUrl(url: string | undefined): string {
  if (url === undefined || url === 'https://github.com') return publicApi;
  const { protocol, host } = new URL(url);
  return host.endsWith('.ghe.com') ? `${protocol}//api.${host}` : `${url}/api/v3`;
}

export function createGithubApi(access: HostAccess, memory: HostMemory): GithubApi {
  const { appId, installationId } = access;
  const app = appId !== undefined && installationId !== undefined ? { appId, installationId } : undefined;
  const baseUrl = apiUrl(access.url);
  const client = createRestClient({
    host: 'GitHub',
    baseUrl,
    memory,
    headers: {
      accept: 'application/vnd.github+json',
      'user-agent': 'ebb',
      'x-github-api-version': '2022-11-28',
    },
  });
  const send = async (request: GithubRequest, token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    return await client({ ...request, headers }).catch((error: unknown) => {
      throw withPermission(error);
    });
  };
  return {
    app,
    async ask(repository, permissions, request) {
      const token = app
        ? await installationToken({ access, app, baseUrl, repository, permissions, signal: request.signal })
        : await withCredential(access, (credential) => credential.toString('utf8'));
      return await send(request, token);
    },
    async askAsSelf(request) {
      return await send(
        request,
        await withCredential(access, (credential) =>
          app ? appToken(app.appId, privateKey(credential)) : credential.toString('utf8'),
        ),
      );
    },
  };
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
 * What an App signs to show that it is itself: good for nine minutes, begun a minute ago because clocks differ.
 *
 * @see https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
 */
function appToken(appId: string, key: KeyObject): string {
  const now = Math.floor(Date.now() / 1000);
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const signed = `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode({ iat: now - 60, exp: now + 540, iss: appId })}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}

interface TokenParts {
  access: HostAccess;
  app: { appId: string; installationId: string };
  baseUrl: string;
  repository: string;
  permissions: Permissions;
  signal: AbortSignal;
}

/** A token for one request: for this repository and these permissions alone, and kept nowhere. */
async function installationToken(parts: TokenParts): Promise<string> {
  const { access, app, baseUrl, repository, permissions, signal } = parts;
  const key = await withCredential(access, privateKey);
  const expiresAt = new Date(Date.now() + 540_000).toISOString();
  const auth = createAppAuth({
    appId: app.appId,
    // Signed here, so that the key never becomes a text that cannot be wiped.
    createJwt: async () => ({ jwt: appToken(app.appId, key), expiresAt }),
    request: request.defaults({ baseUrl, headers: { 'user-agent': 'ebb' }, request: { signal } }),
    cache: { get: () => '', set: () => undefined },
    log: { warn: () => undefined },
  });
  const [, name = ''] = repository.split('/');
  try {
    const { token } = await auth({
      type: 'installation',
      installationId: Number(app.installationId),
      repositoryNames: [name],
      permissions,
    });
    return token;
  } catch (error) {
    signal.throwIfAborted();
    throw tokenError(error, permissions);
  }
}

/** @see https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app */
function tokenError(error: unknown, permissions: Permissions): SourceHostError {
  const status = Number(Reflect.get(Object(error), 'status'));
  const options = { cause: error };
  if (status === 401) {
    const message =
      'GitHub does not take the private key of this App: it was deleted there, or app_id is of another App. Make a new private key.';
    return new SourceHostError('unauthorized', message, options);
  }
  if (status === 404) {
    const message =
      'GitHub knows no such installation of the App: it was uninstalled, or installation_id is of another App.';
    return new SourceHostError('unauthorized', message, options);
  }
  if (status === 403 && !isLimit(error)) {
    const message =
      "The App's installation is suspended, or GitHub forbids it to act. Look at the installation there.";
    return new SourceHostError('unauthorized', message, options);
  }
  if (status === 422 && /permission/i.test(String(error))) {
    const message = `The App's installation lacks a permission. It needs: ${namesOf(permissions)}. Change the App, then accept the change at the installation.`;
    return new SourceHostError('refused', message, options);
  }
  if (status === 422) {
    const message =
      'GitHub shows no such repository to the App. Check its name, and that the installation includes it.';
    return new SourceHostError('repository_not_found', message, options);
  }
  if (isLimit(error)) {
    const header = Number(
      Reflect.get(Object(Reflect.get(Object(error), 'response')), 'headers')?.['retry-after'],
    );
    const retryAfterSeconds = Number.isFinite(header) ? header : 60;
    const message = `GitHub asks for fewer requests and takes the next one in ${retryAfterSeconds} s.`;
    return new SourceHostError('rate_limited', message, { ...options, retryAfterSeconds });
  }
  return new SourceHostError('unreachable', 'GitHub gave the App no token. Try again.', options);
}

function isLimit(error: unknown): boolean {
  return Number(Reflect.get(Object(error), 'status')) === 429 || /rate limit/i.test(String(error));
}

const labels: Record<Permission, string> = {
  administration: 'Administration',
  repository_hooks: 'Webhooks',
  contents: 'Contents',
  statuses: 'Commit statuses',
  metadata: 'Metadata',
};

/** As they are written on GitHub's pages: `Administration (write), Contents (read)`. */
export function namesOf(permissions: Permissions): string {
  return Object.entries(permissions)
    .map(([name, level]) => `${labels[name as Permission] ?? name} (${level})`)
    .join(', ');
}

/** Says which permission a credential lacks, where GitHub tells it in `X-Accepted-GitHub-Permissions`. */
function withPermission(error: unknown): unknown {
  if (!isStatus(error, 403) || error.code !== 'refused') return error;
  const accepted = error.answer.headers.get('x-accepted-github-permissions');
  const lacks = /not accessible by/i.test(error.message);
  if (accepted === null || !lacks) return error;
  const wanted = accepted
    .split(';', 1)[0]
    ?.split(',')
    .map((item) => item.trim().split('='))
    .map(([name = '', level = '']) => namesOf({ [name]: level } as Permissions));
  const message = `The connection's credential lacks a permission for the repository: ${wanted?.join(', ')}. Grant it at GitHub.`;
  return new RestError('refused', message, error.answer);
}
