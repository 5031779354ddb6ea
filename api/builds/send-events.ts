import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { mostOffset } from '../../contract/log-offset.ts';
import type { ApiContext } from '../context.ts';
import { requireLogs } from '../logs/log-key.ts';
import { streamEvents } from './event-stream.ts';
import type { BuildRow } from './state-machine.ts';

/** Answers with a build's events from `Last-Event-ID` on, as long as `mayGoOn` says yes. Throws 410 `log_destroyed`. */
export async function sendEvents(
  context: ApiContext,
  build: BuildRow,
  request: FastifyRequest,
  reply: FastifyReply,
  mayGoOn: () => Promise<boolean>,
): Promise<void> {
  const gone = whenGone(reply.raw);
  await requireLogs(context, build.project_id);
  const from = Number(request.headers['last-event-id'] ?? 0);
  reply.hijack();
  if (gone.aborted) return;
  reply.raw.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    // Kept open, an idle connection would hold up a server that stops.
    connection: 'close',
    'x-request-id': request.id,
  });
  reply.raw.flushHeaders();
  try {
    await streamEvents(context, build, {
      from: Number.isInteger(from) && from >= 0 && from <= mostOffset ? from : 0,
      response: reply.raw,
      signal: AbortSignal.any([gone, context.stopping]),
      mayGoOn,
    });
  } catch (error) {
    request.log.error({ error }, 'event stream broke');
  } finally {
    reply.raw.end();
  }
}

/** Aborts when the reader goes; at once for one who went before, of whom no event tells any more. */
function whenGone(response: ServerResponse): AbortSignal {
  if (response.destroyed) return AbortSignal.abort();
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return gone.signal;
}
