import type { App } from './app-type.ts';

// Answers are data: a browser that is led to one must not run or frame it. The reference page brings its own policy.
const dataPolicy = "default-src 'none'; frame-ancestors 'none'";

/** Gives every answer its request id and the headers that keep browsers and caches from doing harm. */
export function setResponseHeaders(app: App): void {
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-request-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
    reply.header('referrer-policy', 'no-referrer');
    if (!reply.hasHeader('content-security-policy')) reply.header('content-security-policy', dataPolicy);
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
  });
}
