import formbody from '@fastify/formbody';
import { Type } from 'typebox';
import { HeldToken, TokenRequest, TokenResponse, tokenExchange } from '../../contract/token.ts';
import type { ApiContext } from '../context.ts';
import type { Routes } from '../http/app-type.ts';
import type { PublishedKey } from '../signing/published-key.ts';
import { findOperatorsId } from '../teams/operators.ts';
import { publicKeysKeptSeconds } from '../token-keys/times.ts';
import { exchangeToken } from '../workload-identities/exchange-token.ts';
import { createIssuers } from '../workload-identities/issuers.ts';
import { type ApiKeyRow, findApiKey } from './api-key.ts';
import { refusalsAudited } from './audit-token-refusal.ts';
import { issueToken } from './issue-token.ts';
import { answerOAuthError, missingText, OAuthError } from './oauth-error.ts';
import { renewToken, revokeToken } from './token-life.ts';

const KeySet = Type.Object({
  keys: Type.Array(Type.Unsafe<PublishedKey>({ type: 'object', additionalProperties: true })),
});

/** The token endpoint, and the keys that tokens and receipts are verified with. */
export const authRoutes: Routes = async (app, { context }) => {
  await app.register(formbody);
  app.setErrorHandler(answerOAuthError);
  const findIssuerKeys = createIssuers(context.fetch);

  app.post('/v1/token', {
    schema: {
      body: TokenRequest,
      response: { 200: TokenResponse },
      tags: ['tokens'],
      consumes: ['application/x-www-form-urlencoded'],
      security: [],
    },
    preValidation: async (request) => {
      const secret = basicPassword(request.headers.authorization);
      request.body = { ...request.body, ...(secret ? { client_secret: secret } : {}) };
    },
    handler: async (request, reply) => {
      reply.header('cache-control', 'no-store');
      const { grant_type, client_secret } = request.body;
      const counted = async (key: ApiKeyRow) => {
        if (!(await isOfRunners(context, key))) await app.limitToken(request, reply, key.id);
      };
      if (grant_type === tokenExchange)
        return await exchangeToken(context, { findKeys: findIssuerKeys, counted }, request.body);
      if (client_secret === undefined) throw new OAuthError('invalid_request', missingText('client_secret'));
      const key = await findApiKey(context.database, client_secret);
      if (key) await counted(key);
      return await refusalsAudited(context, key, () => issueToken(context, key, request.body));
    },
  });

  app.post('/v1/token/renew', {
    schema: {
      body: HeldToken,
      response: { 200: Type.Object({ expires_in: Type.Integer({ description: 'Seconds.' }) }) },
      tags: ['tokens'],
      consumes: ['application/x-www-form-urlencoded'],
      security: [],
    },
    handler: async (request, reply) => {
      reply.header('cache-control', 'no-store');
      const { token } = request.body;
      const counted = (keyId: string) => app.limitToken(request, reply, keyId);
      return { expires_in: await renewToken(context, token, counted) };
    },
  });

  app.post('/v1/token/revoke', {
    schema: {
      body: HeldToken,
      response: { 200: Type.Object({}) },
      tags: ['tokens'],
      consumes: ['application/x-www-form-urlencoded'],
      security: [],
    },
    handler: async (request, reply) => {
      await revokeToken(context, request.body.token);
      return reply.header('cache-control', 'no-store').send({});
    },
  });

  app.get(
    '/.well-known/jwks.json',
    {
      schema: {
        ...{ tags: ['tokens'], security: [] },
        response: { 200: KeySet },
      },
    },
    async (_request, reply) => {
      const keys = [...(await context.tokens.published()), ...context.signer.jwks().keys];
      reply.header('cache-control', `public, max-age=${publicKeysKeptSeconds}, must-revalidate`);
      return { keys };
    },
  );
};

/** One key serves all runners, which are not counted. A team's key is none, whatever scopes it was given. */
async function isOfRunners({ database }: ApiContext, { scopes, team_id }: ApiKeyRow): Promise<boolean> {
  return scopes.includes('runner') && team_id === (await findOperatorsId(database));
}

function basicPassword(header: string | undefined): string | undefined {
  const [scheme, encoded] = (header ?? '').split(' ');
  if (scheme?.toLowerCase() !== 'basic' || !encoded) return undefined;
  const text = Buffer.from(encoded, 'base64').toString();
  return text.slice(text.indexOf(':') + 1);
}
