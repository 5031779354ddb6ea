import { accessTokenType, type TokenResponse } from '../../contract/token.ts';
import type { ApiKeyRow } from '../auth/api-key.ts';
import { refusalsAudited } from '../auth/audit-token-refusal.ts';
import { issueToken } from '../auth/issue-token.ts';
import { OAuthError } from '../auth/oauth-error.ts';
import type { ApiContext } from '../context.ts';
import type { FindIssuerKeys } from './issuers.ts';
import { findTrusted, type WorkloadIdentityRow } from './store.ts';
import { verifyWorkload } from './verify-workload.ts';

/** A request for an exchange, as it came. */
export interface Exchange {
  client_id?: string;
  subject_token?: string;
  subject_token_type?: string;
  scope?: string;
  project_id?: string;
  renewable?: string;
}

/**
 * Gives a token for one of an issuer that a team trusts; `counted` is told of the key that gives it and may reject. Throws an
 * OAuthError; what is refused is audited for the team.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8693
 */
export async function exchangeToken(
  context: ApiContext,
  { findKeys, counted }: { findKeys: FindIssuerKeys; counted(key: ApiKeyRow): Promise<void> },
  asked: Exchange,
): Promise<TokenResponse> {
  const { client_id, subject_token, subject_token_type } = asked;
  if (client_id === undefined || subject_token === undefined || subject_token_type === undefined)
    throw new OAuthError(
      'invalid_request',
      'An exchange needs client_id (the id of a workload identity), subject_token and subject_token_type.',
    );
  if (asked.renewable === 'true')
    throw new OAuthError(
      'invalid_request',
      'A token that was got by exchange is not renewable: it would outlive what it was got by. Exchange again.',
    );
  const workload = await findTrusted(context.database, client_id);
  const key = workload && (await keyOf(context, workload));
  return await refusalsAudited(context, key, async () => {
    if (!workload) throw new OAuthError('invalid_client', 'client_id is the id of no workload identity.');
    await verifyWorkload(findKeys, workload, subject_token, context.now());
    // Not before: anybody may know the id of a workload identity.
    if (key) await counted(key);
    const given = await issueToken(context, key, { ...asked, ...limitOf(workload, asked) });
    return { ...given, issued_token_type: accessTokenType };
  });
}

async function keyOf({ database }: ApiContext, { api_key_id }: WorkloadIdentityRow) {
  return await database.selectFrom('api_key').selectAll().where('id', '=', api_key_id).executeTakeFirst();
}

function limitOf({ project_id }: WorkloadIdentityRow, asked: Exchange): { project_id?: string } {
  if (project_id === null) return {};
  if (asked.project_id !== undefined && asked.project_id !== project_id)
    throw new OAuthError('invalid_request', 'project_id is another project than the workload may act on.');
  return { project_id };
}
