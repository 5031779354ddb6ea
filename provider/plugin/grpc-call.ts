import { once } from 'node:events';
import {
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';

/** Serves one method: takes the bytes of its request, gives those of each message of its answer. */
export type GrpcHandler = (request: Buffer) => AsyncIterable<Buffer>;

const maximumMessageBytes = 256 * 1024 * 1024;
const prefixBytes = 5;
const contentType = 'application/grpc';
const longestStatusMessage = 1000;

/** Of https://github.com/grpc/grpc/blob/master/doc/statuscodes.md, those that are answered here. */
const status = { ok: 0, resourceExhausted: 8, unimplemented: 12, internal: 13 } as const;

/** Why a call has no answer, in gRPC's terms. */
class StatusError extends Error {
  readonly status: number;

  constructor(code: number, message: string) {
    super(message);
    this.status = code;
  }
}

/** Answers a call: reads its request, has it handled, and writes what that gives. Throws what `refuseCall` is to tell. */
export async function serveCall(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  handlers: ReadonlyMap<string, GrpcHandler>,
): Promise<void> {
  if (!headers['content-type']?.startsWith(contentType)) return notGrpc(stream);
  const path = headers[constants.HTTP2_HEADER_PATH] as string;
  const handler = handlers.get(path);
  if (!handler) throw new StatusError(status.unimplemented, `This plugin does not serve ${path}.`);
  const request = await readMessage(stream);
  for await (const message of handler(request)) {
    if (isGone(stream)) return;
    if (!stream.headersSent) begin(stream);
    const prefix = Buffer.alloc(prefixBytes);
    prefix.writeUInt32BE(message.length, 1);
    stream.write(prefix);
    if (!stream.write(message)) await drained(stream);
  }
  if (isGone(stream)) return;
  // An answer of no messages has its headers too.
  if (!stream.headersSent) begin(stream);
  end(stream, { 'grpc-status': status.ok });
}

/** Once it was reset or its connection lost, nothing can be written to it, not even headers. */
function isGone(stream: ServerHttp2Stream): boolean {
  return stream.destroyed || stream.closed;
}

function begin(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': contentType }, { waitForTrailers: true });
}

function end(stream: ServerHttp2Stream, trailers: OutgoingHttpHeaders): void {
  stream.once('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end();
}

/** Resolves when more may be written, or nothing ever again. */
async function drained(stream: ServerHttp2Stream): Promise<void> {
  const settled = new AbortController();
  const { signal } = settled;
  try {
    await Promise.race([once(stream, 'drain', { signal }), once(stream, 'close', { signal })]);
  } finally {
    settled.abort();
  }
}

async function readMessage(stream: ServerHttp2Stream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  // What is wrong with it is answered, so the stream stays open.
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    const isBegun = length >= prefixBytes;
    chunks.push(chunk);
    length += chunk.length;
    if (!isBegun && length >= prefixBytes) refuseLarge(Buffer.concat(chunks).readUInt32BE(1));
    refuseLarge(length - prefixBytes);
  }
  const [body] = chunks.length === 1 ? chunks : [Buffer.concat(chunks)];
  if (!body || length < prefixBytes || body.readUInt32BE(1) !== length - prefixBytes) {
    throw new StatusError(status.internal, 'The call must carry one whole message.');
  }
  if (body[0] !== 0) throw new StatusError(status.unimplemented, 'Compressed messages are not served.');
  return body.subarray(prefixBytes);
}

function refuseLarge(messageBytes: number): void {
  if (messageBytes <= maximumMessageBytes) return;
  throw new StatusError(status.resourceExhausted, `A message has at most ${maximumMessageBytes} bytes.`);
}

/** Tells why there is no answer, or no more of it: in the trailers alone where nothing was answered yet. */
export function refuseCall(stream: ServerHttp2Stream, error: unknown): void {
  if (isGone(stream)) return;
  const code = error instanceof StatusError ? error.status : status.internal;
  const message = error instanceof Error ? error.message : String(error);
  const trailers = { 'grpc-status': code, 'grpc-message': percentEncoded(message) };
  // What is still sent has to be taken, for the call to end; nobody keeps it.
  stream.resume();
  if (stream.headersSent) end(stream, trailers);
  else stream.respond({ ':status': 200, 'content-type': contentType, ...trailers }, { endStream: true });
}

/** As the protocol has it for calls that are not gRPC. */
function notGrpc(stream: ServerHttp2Stream): void {
  stream.resume();
  stream.respond({ ':status': 415 }, { endStream: true });
}

/** Short enough for headers, whatever the message quotes. */
function percentEncoded(message: string): string {
  return encodeURIComponent(message.slice(0, longestStatusMessage).toWellFormed());
}
