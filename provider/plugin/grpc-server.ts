import { once } from 'node:events';
import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  type Http2Session,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo, ListenOptions, Socket } from 'node:net';
import type { Log } from './log.ts';

/** Serves one method: takes the bytes of its request, gives those of each message of its answer. */
export type GrpcHandler = (request: Buffer) => AsyncIterable<Buffer>;

export interface GrpcServerParts {
  /** By path, `/package.Service/Method`. */
  handlers: ReadonlyMap<string, GrpcHandler>;
  /** PEM of the server's certificate and its key, and of the only client that may connect. */
  certificate: string;
  privateKey: string;
  clientCertificate: string;
  log: Log;
}

export interface GrpcServer {
  /** Takes connections at a Unix socket, or at the first port of loopback that is free. Resolves to that, in go-plugin's form. */
  listen(at: { path: string } | { ports: readonly number[] }): Promise<string>;
  /** Takes no calls any more, lets those under way end for `graceMilliseconds`, then closes. */
  close(graceMilliseconds: number): Promise<void>;
}

const maximumMessageBytes = 256 * 1024 * 1024;
const windowBytes = 4 * 1024 * 1024;
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

/**
 * A gRPC server for calls with one uncompressed request message, over mutual TLS: all that plugins of Terraform are
 * asked for.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
export function createGrpcServer(parts: GrpcServerParts): GrpcServer {
  const { handlers, certificate, privateKey, clientCertificate, log } = parts;
  const server = createSecureServer({
    cert: certificate,
    key: privateKey,
    ca: clientCertificate,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    settings: { initialWindowSize: windowBytes, enablePush: false },
    // In megabytes: one call of Terraform may carry all of a large state.
    maxSessionMemory: 1024,
  });
  const sessions = new Set<Http2Session>();
  // Those without a session too: closing waits for every one.
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('error', (error) => log.debug('server failed', { reason: error.message }));
  server.on('session', (session) => {
    sessions.add(session);
    session.setLocalWindowSize?.(windowBytes);
    session.once('close', () => sessions.delete(session));
    session.on('error', (error) => log.debug('connection failed', { reason: error.message }));
  });
  server.on('tlsClientError', (error) => log.debug('client refused', { reason: error.message }));
  server.on('stream', (stream, headers) => {
    stream.on('error', (error) => log.debug('call failed', { reason: error.message }));
    serve(stream, headers, handlers).catch((error) => refuse(stream, error));
  });
  return {
    async listen(at) {
      if ('path' in at) {
        await listening(server, at);
        return at.path;
      }
      for (const [index, port] of at.ports.entries()) {
        const isLast = index === at.ports.length - 1;
        try {
          await listening(server, { host: '127.0.0.1', port });
          break;
        } catch (error) {
          if (isLast || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
        }
      }
      return `127.0.0.1:${(server.address() as AddressInfo).port}`;
    },
    close: (graceMilliseconds) =>
      new Promise((resolve) => {
        const force = setTimeout(() => {
          for (const session of sessions) session.destroy();
          for (const socket of sockets) socket.destroy();
        }, graceMilliseconds);
        server.close(() => {
          clearTimeout(force);
          resolve();
        });
        for (const session of sessions) session.close();
      }),
  };
}

function listening(server: Http2SecureServer, at: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function serve(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  handlers: GrpcServerParts['handlers'],
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
    chunks.push(chunk);
    length += chunk.length;
    if (length > maximumMessageBytes + prefixBytes) {
      throw new StatusError(status.resourceExhausted, `A message has at most ${maximumMessageBytes} bytes.`);
    }
  }
  const [body] = chunks.length === 1 ? chunks : [Buffer.concat(chunks)];
  if (!body || length < prefixBytes || body.readUInt32BE(1) !== length - prefixBytes) {
    throw new StatusError(status.internal, 'The call must carry one whole message.');
  }
  if (body[0] !== 0) throw new StatusError(status.unimplemented, 'Compressed messages are not served.');
  return body.subarray(prefixBytes);
}

/** Tells why there is no answer, or no more of it: in the trailers alone where nothing was answered yet. */
function refuse(stream: ServerHttp2Stream, error: unknown): void {
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
