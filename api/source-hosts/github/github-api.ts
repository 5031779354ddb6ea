import { idOf, objectOf } from '../rest/fields.ts';
import type { HostMemory } from '../rest/host-memory.ts';
import { createRestClient, type RestRequest } from '../rest/rest-client.ts';
import { isStatus, type RestAnswer, RestError } from '../rest/rest-error.ts';
import { withCredential } from '../rest/token-client.ts';
import type { HostAccess } from '../source-hosts.ts';
import { appToken, type GithubApp, mintToken, type TokenScope } from './github-app.ts';
import { namesOf, type Permissions } from './github-permissions.ts';

export type GithubRequest = Omit<RestRequest, 'authorize' | 'repeatable'>;

/** GitHub's REST API with the credential of one connection. */
export interface GithubApi {
  /** Who is asked as: an App has an installation, whose permissions can be looked up. */
  readonly app: GithubApp | undefined;
  /** The repository whose id is known from before. */
  readonly known: HostAccess['repository'];
  /** Asks about one repository, with a token that reaches nothing else and may do nothing else, where there is an App. */
  ask(repository: string, permissions: Permissions, request: GithubRequest): Promise<RestAnswer>;
  /** Asks about no repository, or one that is not known yet: with a token of the whole installation, or the token. */
  askAtLarge(request: GithubRequest): Promise<RestAnswer>;
  /** Asks as the App itself, which GitHub lets see its own installations and nothing else, or with the token. */
  askAsSelf(request: GithubRequest): Promise<RestAnswer>;
}

const publicApi = 'https://api.github.com';
/** Sent with every request to GitHub's REST API. */
export const githubHeaders = {
  accept: 'application/vnd.github+json',
  'user-agent': 'ebb',
  'x-github-api-version': '2022-11-28',
};
const readMetadata = { metadata: 'read' } as const;

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
  const client = createRestClient({
    host: 'GitHub',
    baseUrl: apiUrl(access.url),
    memory,
    fetch: access.fetch,
    headers: githubHeaders,
  });
  const send = async (request: GithubRequest, token: () => Promise<string>) => {
    const authorize = async () => ({ authorization: `Bearer ${await token()}` });
    return await client({ ...request, authorize }).catch((error: unknown) => {
      throw withPermission(error);
    });
  };
  const ownToken = () => withCredential(access, (credential) => credential.toString('utf8'));
  const minted = (scope: TokenScope, signal: AbortSignal) =>
    app ? once(() => mintToken(client, { access, app, scope }, signal)) : ownToken;
  const askAtLarge = async (request: GithubRequest) =>
    await send(request, minted({ permissions: readMetadata }, request.signal));
  const repositoryId = async (repository: string, signal: AbortSignal): Promise<string> => {
    const known = access.repository?.name === repository ? access.repository.id : memory.idOf(repository);
    if (known !== undefined) return known;
    const path = `/repos/${repository}`;
    const id = idOf(objectOf(await askAtLarge({ method: 'GET', path, signal, follow: true })));
    memory.keepId(repository, id);
    return id;
  };
  return {
    app,
    known: access.repository,
    askAtLarge,
    async ask(repository, permissions, request) {
      const { signal } = request;
      const scope = app
        ? { repositoryId: await repositoryId(repository, signal), permissions }
        : { permissions };
      try {
        return await send(request, minted(scope, signal));
      } catch (error) {
        // The name may be of another repository since its id was looked up.
        if (isStatus(error, 404, 422)) memory.forgetId(repository);
        throw error;
      }
    },
    askAsSelf: async (request) => await send(request, app ? () => appToken(access, app) : ownToken),
  };
}

/** Makes it when it is first wanted and gives the same from then on, so that a request that is repeated mints no second token. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: { value: T } | undefined;
  return async () => {
    made ??= { value: await make() };
    return made.value;
  };
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
