import formbody from '@fastify/formbody';
import { HeldToken, Introspection } from '../../contract/token.ts';
import type { Routes } from '../http/app-type.ts';
import { introspectToken } from './introspect-token.ts';

/** Apart from the token endpoint: who asks shows a token, and is refused as at every other route (RFC 7662, section 2.3). */
export const introspectionRoute: Routes = async (app, { context }) => {
  await app.register(formbody);

  app.post('/v1/token/introspect', {
    schema: {
      body: HeldToken,
      response: { 200: Introspection },
      tags: ['tokens'],
      consumes: ['application/x-www-form-urlencoded'],
    },
    handler: async (request, reply) => {
      reply.header('cache-control', 'no-store');
      return await introspectToken(context, request.principal, request.body.token);
    },
  });
};
