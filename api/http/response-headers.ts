import helmet from '@fastify/helmet';
import type { App } from './app-type.ts';

const directives = { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] };
/** The policy of data: nothing in it is run, loaded or framed. */
export const policyOfData = Object.entries(directives)
  .map(([name, values]) => `${name} ${values.join(' ')}`)
  .join(';');

/**
 * Gives every answer its request id and the headers that keep browsers and caches from doing harm. Answers are data: a
 * browser that is led to one must not run, frame or embed it. Pages bring a policy of their own. No answer allows another
 * origin to read it, since there is no CORS.
 */
export async function setResponseHeaders(app: App, { overTls }: { overTls: boolean }): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives },
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' },
    strictTransportSecurity: overTls && { maxAge: 31_536_000, includeSubDomains: false },
  });
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-request-id', request.id);
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
  });
}
