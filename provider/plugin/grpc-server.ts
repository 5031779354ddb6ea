import { createSecureServer, type Http2SecureServer, type Http2Session } from 'node:http2';
import type { AddressInfo, ListenOptions, Socket } from 'node:net';
import { type GrpcHandler, refuseCall, serveCall } from './grpc-call.ts';
import type { Log } from './log.ts';

interface GrpcServerParts {
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

const windowBytes = 4 * 1024 * 1024;

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
    serveCall(stream, headers, handlers).catch((error) => refuseCall(stream, error));
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
