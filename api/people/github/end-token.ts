import { isStatus } from '../../source-hosts/rest/rest-error.ts';
import type { GithubAt } from './github-at.ts';

/**
 * Has GitHub forget a token, which would never end by itself; the person's consent stays. One that is no token any more is
 * ended. Throws when GitHub does not say so.
 *
 * @see https://docs.github.com/en/rest/apps/oauth-applications#delete-an-app-token
 */
export async function endToken(
  { client, clientId, clientSecret, signal }: GithubAt,
  token: string,
): Promise<void> {
  const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
  await client({
    ...{ method: 'DELETE', path: `/applications/${encodeURIComponent(clientId)}/token`, signal },
    body: { access_token: token },
    authorize: async () => ({ authorization: `Basic ${basic}` }),
  }).catch((error: unknown) => {
    if (!isStatus(error, 404, 422)) throw error;
  });
}
