import { randomUUID } from 'node:crypto';
import { scopes as knownScopes, type Scope, type TokenResponse, withParts } from '../../contract/token.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import type { ApiKeyRow } from './api-key.ts';
import { OAuthError } from './oauth-error.ts';
import { beginRenewable, lifetimeSeconds, longestLifetimeSeconds } from './token-life.ts';

/** What a token is asked to be; it never is more than its key. */
export interface AskedToken {
  scope?: string;
  project_id?: string;
  renewable?: string;
}

/**
 * Makes a token of an API key that is known to be shown by its holder, and records it. Throws an OAuthError: `invalid_client`
 * when the key has ended, `invalid_scope`, and `invalid_request` for a project that is not the team's.
 */
export async function issueToken(
  context: ApiContext,
  key: ApiKeyRow | undefined,
  asked: AskedToken,
): Promise<TokenResponse> {
  if (!key || key.revoked_at || (key.ends_at && key.ends_at <= context.now()))
    throw new OAuthError('invalid_client', 'The API key is not known, has expired or was revoked.');
  const scope = narrow(key.scopes, asked.scope);
  const project = projectOf(key, asked);
  if (project !== undefined) await requireProjectOfTeam(context, key, project);
  const limit = project ? { project } : {};
  const claims = { sub: key.id, team: key.team_id, scope, ...limit };
  const isRenewed = asked.renewable === 'true';
  const jti = randomUUID();
  if (isRenewed) await beginRenewable(context, jti);
  const access_token = await context.tokens.sign(
    { ...claims, jti, ...(isRenewed && { renewed: true }) },
    isRenewed ? longestLifetimeSeconds : lifetimeSeconds,
  );
  await noteUse(context, key);
  await recordAudit(context, {
    ...{ teamId: key.team_id, action: 'token.issued', actor: key.id, subject: key.id },
    detail: { token: jti, scope, ...limit },
  });
  return { access_token, token_type: 'Bearer', expires_in: lifetimeSeconds, scope };
}

function narrow(held: readonly Scope[], wanted: string | undefined): string {
  if (wanted === undefined || wanted.trim() === '') return held.join(' ');
  const scopes = wanted.trim().split(/\s+/);
  const parts = withParts(held);
  const refused = scopes.filter((scope) => !parts.includes(scope as Scope));
  if (refused.length > 0) {
    const known = refused.every((scope) => knownScopes.includes(scope as Scope));
    throw new OAuthError(
      'invalid_scope',
      `${refused.join(' ')}: ${known ? 'the API key does not have it' : 'there is no such scope'}. It has: ${held.join(' ')}.`,
    );
  }
  return scopes.join(' ');
}

function projectOf({ project_id }: ApiKeyRow, asked: AskedToken): string | undefined {
  if (project_id === null) return asked.project_id;
  if (asked.project_id === undefined || asked.project_id === project_id) return project_id;
  throw new OAuthError('invalid_request', 'project_id is another project than the API key is good for.');
}

/** To the minute: a key that gives many tokens is not written each time. */
async function noteUse({ database, now }: ApiContext, { id }: ApiKeyRow): Promise<void> {
  const at = now();
  const minuteAgo = new Date(at.getTime() - 60_000);
  await database
    .updateTable('api_key')
    .set({ last_used_at: at })
    .where('id', '=', id)
    .where((is) => is.or([is('last_used_at', 'is', null), is('last_used_at', '<=', minuteAgo)]))
    .execute();
}

async function requireProjectOfTeam(context: ApiContext, key: ApiKeyRow, projectId: string): Promise<void> {
  const project = await context.database
    .selectFrom('project')
    .select('id')
    .where('id', '=', projectId)
    .where('team_id', '=', key.team_id)
    .where('revoking_at', 'is', null)
    .executeTakeFirst();
  if (!project) throw new OAuthError('invalid_request', 'project_id names no project of this team.');
}
