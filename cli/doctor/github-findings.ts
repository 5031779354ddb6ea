import { randomUUID } from 'node:crypto';
import { type ApiConfiguration, sourceHostNetworks } from '../../api/configuration.ts';
import { openGithub } from '../../api/people/github/github-at.ts';
import { SourceHostError } from '../../api/source-hosts/errors.ts';
import { createGuardedFetch } from '../../api/source-hosts/rest/guarded-fetch.ts';
import { isStatus } from '../../api/source-hosts/rest/rest-error.ts';
import type { Finding } from './finding.ts';

const timeoutMs = 5_000;

type Settings = Pick<
  ApiConfiguration,
  | 'EBB_GITHUB_CLIENT_ID'
  | 'EBB_GITHUB_CLIENT_SECRET'
  | 'EBB_GITHUB_URL'
  | 'EBB_SOURCE_HOST_NETWORKS'
  | 'EBB_PUBLIC_URL'
>;

/** Whether GitHub is reached and takes the app's credentials: it is asked about a token that there is not. */
export async function githubFindings(configuration: Settings): Promise<Finding[]> {
  const { EBB_GITHUB_CLIENT_ID: clientId, EBB_GITHUB_CLIENT_SECRET: clientSecret } = configuration;
  if (!clientId || !clientSecret) return [];
  const { EBB_GITHUB_URL: site } = configuration;
  const fetch = createGuardedFetch(sourceHostNetworks(configuration));
  const never = new AbortController().signal;
  const { client, signal } = openGithub({ site, clientId, clientSecret, fetch }, never, timeoutMs);
  const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
  try {
    // https://docs.github.com/en/rest/apps/oauth-applications#check-a-token
    await client({
      ...{ method: 'POST', path: `/applications/${clientId}/token`, repeatable: true, signal },
      body: { access_token: `gho_none-${randomUUID()}` },
      authorize: async () => ({ authorization: `Basic ${basic}` }),
    });
    return [];
  } catch (error) {
    if (isStatus(error, 404, 422)) return [];
    if (isStatus(error, 401, 403)) return [refused(site)];
    const reason =
      error instanceof SourceHostError ? error.message : `no answer within ${timeoutMs / 1000} s.`;
    return [unreachable(site, reason)];
  }
}

const refused = (site: string): Finding => ({
  ...{ code: 'github_refuses_credentials', severity: 'medium' },
  what: `${site} does not take EBB_GITHUB_CLIENT_ID with EBB_GITHUB_CLIENT_SECRET.`,
  why: 'Nobody can sign in by GitHub.',
  fix: 'Make a new client secret for the app there and put it into the file that EBB_GITHUB_CLIENT_SECRET_FILE names; look whether EBB_GITHUB_URL is the site that the app is at.',
});

const unreachable = (site: string, reason: string): Finding => ({
  ...{ code: 'github_unreachable', severity: 'medium' },
  what: `GitHub cannot be asked at ${site} (EBB_GITHUB_URL): ${reason}`,
  why: 'Nobody can sign in by GitHub, and whether it takes the credentials could not be looked at.',
  fix: 'Correct EBB_GITHUB_URL, or let the API reach it; where its address is not public, name its network in EBB_SOURCE_HOST_NETWORKS.',
});
