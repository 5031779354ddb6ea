import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { App } from './app-type.ts';
import { describeAnswers } from './describe-answers.ts';

/** The OpenAPI 3.1 document of the routes that are added after it, at /v1/openapi.json, and a page of it at /docs. */
export async function serveReference(app: App): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Ebb',
        version: '1',
        description: 'The control plane of Ebb: projects, keys, hooks, builds and receipts.',
      },
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
          session: {
            ...{ type: 'apiKey', in: 'cookie', name: '__Host-ebb_session' },
            description: 'A person who is signed in; for what belongs to a team with the header Ebb-Team.',
          },
        },
      },
      security: [{ token: [] }, { session: [] }],
    },
    transformObject: (document) => describeAnswers('openapiObject' in document ? document.openapiObject : {}),
  });
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true });
  app.get('/v1/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}
