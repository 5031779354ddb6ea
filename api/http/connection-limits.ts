import type { App } from './app-type.ts';

/** How long each step of a connection may take, and how much it may hold. */
export const connectionLimits = {
  /** From the connection, or the first byte of the next request on it, to the end of the headers. */
  headersTimeout: 15_000,
  /** To the end of the body: 25 MiB, the largest there is, at 7 Mbit/s. GitHub waits for 10 s in all. */
  requestTimeout: 30_000,
  /**
   * Without a byte in either direction; the longest step of ours is silent for 20 s, but for a change that a source host keeps
   * waiting, which goes on without its caller, who asks again. Who does not read an answer is cut off
   * after twice this at most: Node.js looks first whether some of it went.
   */
  connectionTimeout: 30_000,
  /** Longer than routers keep a connection open (Heroku: 90 s), so that they never send into one that closes. */
  keepAliveTimeout: 95_000,
  /** Between two looks at who is too slow, so that nobody stays for much longer than he may. */
  connectionsCheckingInterval: 5_000,
  /** Of all headers of a request, bytes. */
  maxHeaderSize: 16 * 1024,
  /** One more is closed at once. Below the 4,096 files that some systems let a process open. */
  maxConnections: 3_500,
} as const;

/** What Fastify hands to Node's server. */
export const serverOptions = {
  headersTimeout: connectionLimits.headersTimeout,
  connectionsCheckingInterval: connectionLimits.connectionsCheckingInterval,
  maxHeaderSize: connectionLimits.maxHeaderSize,
};

/** Keeps what has no option: how many connections there may be at once. */
export function limitConnections(app: App): void {
  app.server.maxConnections = connectionLimits.maxConnections;
}
