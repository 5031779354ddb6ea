import type { App } from './app-type.ts';
import { ProblemError } from './problem-error.ts';

/** What a router asks for by itself, over plain HTTP, to see whether the process is well. */
export const probes: ReadonlySet<string> = new Set(['/v1/health', '/v1/ready']);

// A year, as https://hstspreload.org asks at least.
const strictTransport = 'max-age=31536000';

/**
 * For a process behind a router that ends TLS: refuses what the client sent to the router over plain HTTP, and tells
 * browsers to use HTTPS only. There is no redirect, since the client has shown its token to everybody on the way and
 * somebody should notice. The router's own word is the last one of X-Forwarded-Proto.
 */
export function requireHttps(app: App, publicUrl: string): void {
  app.addHook('onRequest', async (request, reply) => {
    const protocol = String(request.headers['x-forwarded-proto'] ?? '')
      .split(',')
      .at(-1)
      ?.trim();
    if (protocol === 'https') {
      reply.header('strict-transport-security', strictTransport);
      return;
    }
    if (probes.has(request.url.split('?')[0] ?? '')) return;
    throw new ProblemError(
      403,
      'https_required',
      `This came without TLS, so what it carried could be read on its way. Use ${publicUrl}, and replace the key or token it carried.`,
    );
  });
}
