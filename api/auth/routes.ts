import { randomUUID } from 'node:crypto';
import formbody from '@fastify/formbody';
import { Type } from 'typebox';
import {
  HeldToken,
  scopes as knownScopes,
  type Scope,
  TokenRequest,
  TokenResponse,
} from '../../contract/token.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import type { Routes } from '../http/app-type.ts';
import { type ApiKeyRow, findApiKey } from './api-key.ts';
import { auditTokenRefusal } from './audit-token-refusal.ts';
import { answerOAuthError, OAuthError } from './oauth-error.ts';
import {
  beginRenewable,
  lifetimeSeconds,
  longestLifetimeSeconds,
  renewToken,
  revokeToken,
} from './token-life.ts';

/** The token endpoint, and the keys that tokens and receipts are verified with. */
export const authRoutes: Routes = async (app, { context }) => {
  await app.register(formbody);
  app.setErrorHandler(answerOAuthError);

  app.post('/v1/token', {
    schema: {
      body: TokenRequest,
      response: { 200: TokenResponse },
      tags: ['tokens'],
      consumes: ['application/x-www-form-urlencoded'],
      security: [],
      summary: 'Exchange an API key for a short-lived token',
    },
    preValidation: async (request) => {
      const secret = basicPassword(request.headers.authorization);
      request.body = { ...request.body, ...(secret ? { client_secret: secret } : {}) };
    },
    handler: async (request, reply) => {
      reply.header('cache-control', 'no-store');
      const key = await findApiKey(context.database, request.body.client_secret);
      try {
        return await issueToken(context, key, request.body);
      } catch (error) {
        if (error instanceof OAuthError) await auditTokenRefusal(context, key, error);
        throw error;
      }
    },
  });

  app.post('/v1/token/renew', {
    schema: {
      body: HeldToken,
      response: { 200: Type.Object({ expires_in: Type.Integer({ description: 'Seconds.' }) }) },
      tags: ['tokens'],
      consumes: ['application/x-www-form-urlencoded'],
      security: [],
      summary: 'Keep a renewable access token good for another fifteen minutes',
    },
    handler: async (request, reply) => {
      reply.header('cache-control', 'no-store');
      return { expires_in: await renewToken(context, request.body.token) };
    },
  });

  app.post('/v1/token/revoke', {
    schema: {
      body: HeldToken,
      tags: ['tokens'],
      consumes: ['application/x-www-form-urlencoded'],
      security: [],
      summary: 'End an access token before it expires (RFC 7009); whoever holds it may',
    },
    handler: async (request, reply) => {
      await revokeToken(context, request.body.token);
      return reply.header('cache-control', 'no-store').send({});
    },
  });

  app.get(
    '/.well-known/jwks.json',
    { schema: { tags: ['tokens'], summary: 'Public keys (RFC 7517)', security: [] } },
    async (_request, reply) => {
      reply.header('cache-control', 'public, max-age=300');
      return context.signer.jwks();
    },
  );
};

async function issueToken(
  context: ApiContext,
  key: ApiKeyRow | undefined,
  asked: { scope?: string; project_id?: string; renewable?: string },
): Promise<TokenResponse> {
  if (!key || key.revoked_at || (key.ends_at && key.ends_at <= context.now()))
    throw new OAuthError('invalid_client', 'The API key is not known or was revoked.');
  const scope = narrow(key.scopes, asked.scope);
  const project = asked.project_id;
  if (project !== undefined) await requireProjectOfTeam(context, key, project);
  const limit = project ? { project } : {};
  const claims = { sub: key.id, team: key.team_id, scope, ...limit };
  const isRenewed = asked.renewable === 'true';
  const jti = randomUUID();
  if (isRenewed) await beginRenewable(context, jti);
  const access_token = await context.signer.signToken(
    { ...claims, jti, ...(isRenewed && { renewed: true }) },
    isRenewed ? longestLifetimeSeconds : lifetimeSeconds,
  );
  await recordAudit(context, {
    ...{ teamId: key.team_id, action: 'token.issued', actor: key.id, subject: key.id },
    detail: { token: jti, scope, ...limit },
  });
  return { access_token, token_type: 'Bearer', expires_in: lifetimeSeconds, scope };
}

function basicPassword(header: string | undefined): string | undefined {
  const [scheme, encoded] = (header ?? '').split(' ');
  if (scheme?.toLowerCase() !== 'basic' || !encoded) return undefined;
  const text = Buffer.from(encoded, 'base64').toString();
  return text.slice(text.indexOf(':') + 1);
}

function narrow(held: readonly Scope[], wanted: string | undefined): string {
  if (wanted === undefined || wanted.trim() === '') return held.join(' ');
  const scopes = wanted.trim().split(/\s+/);
  const refused = scopes.filter((scope) => !held.includes(scope as Scope));
  if (refused.length > 0) {
    const known = refused.every((scope) => knownScopes.includes(scope as Scope));
    throw new OAuthError(
      'invalid_scope',
      `${refused.join(' ')}: ${known ? 'the API key does not have it' : 'there is no such scope'}. It has: ${held.join(' ')}.`,
    );
  }
  return scopes.join(' ');
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
