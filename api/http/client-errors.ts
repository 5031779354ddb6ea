import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { problemMediaType } from '../../contract/problem.ts';
import { ProblemError } from './problem-error.ts';
import { documentOf } from './problem-handler.ts';

/** Answers what Node's HTTP parser refuses, before there is a request, with a problem document, and closes the connection. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  // As Node does it: what is under way would take this for a part of itself.
  const { _httpMessage: underWay } = socket as { _httpMessage?: ServerResponse | null };
  if (!socket.writable || underWay?.headersSent) return void socket.destroy();
  const problem = refusals[error.code ?? ''] ?? malformed;
  const id = crypto.randomUUID();
  const body = JSON.stringify(documentOf(problem, id));
  const lines = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    `content-type: ${problemMediaType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${id}`,
    ...['cache-control: no-store', 'connection: close'],
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

const malformed = new ProblemError(400, 'bad_request', 'This is no HTTP/1.1 request. Check what sent it.');
const refusals: Record<string, ProblemError> = {
  ERR_HTTP_REQUEST_TIMEOUT: new ProblemError(
    ...([408, 'request_timeout', 'The request did not arrive in time. Send it again.'] as const),
  ),
  HPE_HEADER_OVERFLOW: new ProblemError(
    ...([431, 'headers_too_large', 'The headers are larger than 16 KiB. Send less in them.'] as const),
  ),
};
