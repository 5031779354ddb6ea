import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { splitHostPort } from '../api/configuration-problems.ts';
import { serveMetrics } from '../contract/serve-metrics.ts';

/**
 * Serves a process's metrics at host:port and gives what ends that. Where the address is taken, by another process on the
 * machine say, the process runs on without: nothing depends on who watches it.
 */
export async function serveMetricsAt(
  listen: string,
  { registry }: { registry: Registry },
  log: Logger,
): Promise<() => Promise<void>> {
  try {
    const server = await serveMetrics(registry, splitHostPort(listen));
    log.info({ url: server.url }, 'metrics');
    return server.close;
  } catch (error) {
    log.warn({ EBB_METRICS_LISTEN: listen, error: String(error) }, 'metrics cannot be served there');
    return async () => {};
  }
}
