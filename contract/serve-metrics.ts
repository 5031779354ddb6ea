import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

/** Where Prometheus and collectors of OpenTelemetry ask. */
export interface MetricsServer {
  /** With the real port. */
  url: string;
  close(): Promise<void>;
}

/**
 * Serves `GET /metrics` in the text format of Prometheus, on an address of its own: never where the public reaches the
 * process. Rejects when it cannot listen there.
 */
export async function serveMetrics(
  registry: Registry,
  listen: { host: string; port: number },
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') return void response.writeHead(404).end();
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  server.requestTimeout = 10_000;
  server.listen(listen);
  await once(server, 'listening');
  // Who watches a process does not keep it from ending.
  server.unref();
  const { family, address, port } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/metrics`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
