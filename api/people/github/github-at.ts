import { apiUrl, githubHeaders } from '../../source-hosts/github/github-api.ts';
import { HostMemory } from '../../source-hosts/rest/host-memory.ts';
import { createRestClient, type RestClient } from '../../source-hosts/rest/rest-client.ts';

/** GitHub's REST API for one person who signs in. */
export interface GithubAt {
  site: string;
  clientId: string;
  clientSecret: string;
  client: RestClient;
  signal: AbortSignal;
}

/** Within `timeoutMs` for all requests together. Nothing is remembered from one person to the next. */
export function openGithub(
  parts: Pick<GithubAt, 'site' | 'clientId' | 'clientSecret'> & { fetch: typeof globalThis.fetch },
  stopping: AbortSignal,
  timeoutMs: number,
): GithubAt {
  const { site, clientId, clientSecret, fetch } = parts;
  const client = createRestClient({
    ...{ host: 'GitHub', baseUrl: apiUrl(site), headers: githubHeaders, fetch },
    memory: new HostMemory({ create: 0, change: 0 }),
  });
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(timeoutMs)]);
  return { site, clientId, clientSecret, client, signal };
}
