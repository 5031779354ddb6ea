import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify from 'fastify';
import { authRoutes } from './auth/routes.ts';
import { buildRoutes } from './builds/routes.ts';
import { connectionRoutes } from './connections/routes.ts';
import type { ApiContext } from './context.ts';
import { deployKeyRoutes } from './deploy-keys/routes.ts';
import { healthRoutes } from './health/routes.ts';
import { hookBindingRoutes } from './hook-bindings/routes.ts';
import { hookRoutes } from './hooks/routes.ts';
import type { App } from './http/app-type.ts';
import { answerNotFound, answerProblem } from './http/problem-handler.ts';
import { createValidatorCompiler } from './http/validation.ts';
import { projectRoutes } from './projects/routes.ts';
import { receiptRoutes } from './receipts/routes.ts';
import { secretRoutes } from './secrets/routes.ts';

const bodyLimit = 1024 * 1024;
const concepts = [
  healthRoutes,
  authRoutes,
  connectionRoutes,
  projectRoutes,
  deployKeyRoutes,
  hookBindingRoutes,
  secretRoutes,
  buildRoutes,
  hookRoutes,
  receiptRoutes,
];

/** The control plane as a Fastify app that does not listen yet; over HTTPS when `tls` (PEM) is given. */
export async function buildApp(context: ApiContext, tls?: { cert: string; key: string }): Promise<App> {
  const app = fastify({
    https: tls ? { ...tls, minVersion: 'TLSv1.2' } : null,
    loggerInstance: context.log,
    bodyLimit,
    requestTimeout: 300_000,
    // A client's own request id is not believed: it would stand in our logs.
    requestIdHeader: false,
    genReqId: () => crypto.randomUUID(),
    forceCloseConnections: 'idle',
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.setValidatorCompiler(createValidatorCompiler());
  app.setErrorHandler(answerProblem);
  app.setNotFoundHandler(answerNotFound);
  app.decorateRequest('principal');
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-request-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Ebb',
        version: '1',
        description: 'The control plane of Ebb: projects, keys, hooks, builds and receipts.',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
    },
  });
  await app.register(swaggerUi, { routePrefix: '/docs' });
  for (const routes of concepts) await app.register(routes, { context });
  app.get('/v1/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  return app as unknown as App;
}
