import { buildApp } from './app.ts';
import type { ApiContext } from './context.ts';

export interface Server {
  /** Stops listening and resolves when the requests in flight are answered. */
  close(): Promise<void>;
}

/** Listens for the control plane. With `tls` it speaks HTTPS, certificate and key in PEM. */
export async function startServer(options: {
  context: ApiContext;
  listen: { host: string; port: number };
  tls?: { cert: string; key: string };
}): Promise<Server> {
  const app = await buildApp(options.context, options.tls);
  await app.listen(options.listen);
  return { close: () => app.close() };
}
