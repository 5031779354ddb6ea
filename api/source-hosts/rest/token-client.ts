import type { HostAccess } from '../source-hosts.ts';
import { createRestClient, type RestClientParts, type RestRequest } from './rest-client.ts';
import type { RestAnswer } from './rest-error.ts';

export type TokenRequest = Omit<RestRequest, 'authorize' | 'repeatable'>;

/** A host's REST API with the token of one connection, which `authorize` puts into headers. */
export function createTokenClient(
  access: HostAccess,
  parts: RestClientParts,
  authorize: (token: string) => Record<string, string>,
): (request: TokenRequest) => Promise<RestAnswer> {
  const client = createRestClient(parts);
  return async (request) =>
    await client({
      ...request,
      authorize: () => withCredential(access, (credential) => authorize(credential.toString('utf8'))),
    });
}

/** Uses a connection's credential and wipes it. */
export async function withCredential<T>(access: HostAccess, use: (credential: Buffer) => T): Promise<T> {
  const credential = await access.credential();
  try {
    return use(credential);
  } finally {
    credential.fill(0);
  }
}
