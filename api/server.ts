import type { AddressInfo } from 'node:net';
import { buildApp } from './app.ts';
import type { ApiContext } from './context.ts';
import type { RateLimits } from './http/rate-limits.ts';

const graceMs = 10_000;

export interface Server {
  /** Where it listens, the real port included. */
  url: string;
  /**
   * Stops listening, ends event streams and idle connections, and resolves when the requests in flight are answered.
   * What is not answered after 10 s is cut off.
   */
  close(): Promise<void>;
}

/** Listens for the control plane. With `tls` it speaks HTTPS, certificate and key in PEM. */
export async function startServer(options: {
  context: ApiContext;
  listen: { host: string; port: number };
  tls?: { cert: string; key: string };
  /** Only a router reaches it, which ends TLS. */
  behindRouter?: boolean;
  rateLimits?: RateLimits;
  graceMs?: number;
}): Promise<Server> {
  const closing = new AbortController();
  const stopping = AbortSignal.any([options.context.stopping, closing.signal]);
  const app = await buildApp({ ...options.context, stopping }, { ...options, closing: closing.signal });
  await app.listen(options.listen);
  const { family, address, port } = app.server.address() as AddressInfo;
  return {
    url: `${options.tls ? 'https' : 'http'}://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    async close() {
      closing.abort();
      const cut = setTimeout(() => app.server.closeAllConnections(), options.graceMs ?? graceMs);
      await app.close();
      clearTimeout(cut);
    },
  };
}
