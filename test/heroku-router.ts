import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Stands where Heroku's router does behind its TLS: passes requests on and says how they came. */
export async function startRouter(toPort: number): Promise<{ url: string; close(): Promise<void> }> {
  const router = createServer((incoming, answer) => {
    const outgoing = request({
      host: '127.0.0.1',
      port: toPort,
      method: incoming.method,
      path: incoming.url,
      headers: {
        ...incoming.headers,
        'x-forwarded-for': [incoming.headers['x-forwarded-for'], '203.0.113.7'].filter(Boolean).join(', '),
        'x-forwarded-proto': 'https',
      },
    });
    outgoing.on('response', (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    outgoing.on('error', () => answer.destroy());
    incoming.pipe(outgoing);
  });
  router.listen(0, '127.0.0.1');
  await once(router, 'listening');
  return {
    url: `http://127.0.0.1:${(router.address() as AddressInfo).port}`,
    async close() {
      router.closeAllConnections();
      await new Promise((resolve) => router.close(resolve));
    },
  };
}
