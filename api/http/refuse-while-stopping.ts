import type { App } from './app-type.ts';
import { ProblemError } from './problem-error.ts';
import { probes } from './require-https.ts';

/** Refuses what still comes to a process that stops, on connections of before: 503, for another process or the next one. Probes are answered. */
export function refuseWhileStopping(app: App, closing: AbortSignal): void {
  app.addHook('onRequest', async ({ routeOptions }, reply) => {
    if (!closing.aborted || probes.has(routeOptions.url ?? '')) return;
    reply.header('connection', 'close');
    const detail = 'This process of Ebb is being stopped. Send the request again.';
    throw new ProblemError(503, 'stopping', detail, { headers: { 'retry-after': '1' } });
  });
}
