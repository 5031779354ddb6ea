import { once } from 'node:events';
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from 'node:http2';
import type { TestContext } from 'node:test';
import type { Certificate } from './certificate.ts';
import { providerService } from './protocol.ts';

/** What came back of a call, whether it was gRPC or not. */
export interface RawAnswer {
  httpStatus: number | undefined;
  /** As gRPC numbers them; undefined where the stream was cut off. */
  grpcStatus: number | undefined;
  grpcMessage: string;
  body: Buffer;
}

interface Server {
  address: string;
  certificate: Buffer;
}

/** Options of TLS to a server, with a client's certificate or none. */
export function tlsTo(
  { certificate }: Server,
  client?: Pick<Certificate, 'privateKeyPem' | 'certificatePem'>,
) {
  const ca = `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64')}\n-----END CERTIFICATE-----\n`;
  return {
    ca,
    servername: 'localhost',
    ...(client && { key: client.privateKeyPem, cert: client.certificatePem }),
  };
}

/** A connection that sends whatever a test likes. */
export async function connectRaw(
  t: TestContext,
  server: Server,
  client: Certificate,
): Promise<ClientHttp2Session> {
  const session = connect(`https://${server.address}`, tlsTo(server, client));
  session.on('error', () => {});
  t.after(() => session.destroy());
  await once(session, 'connect');
  return session;
}

export function pathOf(method: string): string {
  return `/${providerService}/${method}`;
}

/** A message with the prefix that gRPC gives it. */
export function framed(message: Uint8Array, { flag = 0, length = message.length } = {}): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}

/** Sends a body as it is, and waits for the end of what is answered. The call is left open where `ends` is false. */
export async function rawCall(
  session: ClientHttp2Session,
  path: string,
  body: Uint8Array,
  { headers = {}, ends = true }: { headers?: OutgoingHttpHeaders; ends?: boolean } = {},
): Promise<RawAnswer> {
  const stream = session.request({
    ...{ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
    ...headers,
  });
  const told: Record<string, unknown> = {};
  stream.on('response', (given) => Object.assign(told, given));
  stream.on('trailers', (given) => Object.assign(told, given));
  stream.on('error', () => {});
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  const closed = new Promise<void>((resolve) => {
    stream.once('close', resolve);
    if (!ends) stream.once('end', resolve);
  });
  if (ends) stream.end(body);
  else stream.write(body);
  await closed;
  const numberOf = (name: string) => (told[name] === undefined ? undefined : Number(told[name]));
  return {
    ...{ httpStatus: numberOf(':status'), grpcStatus: numberOf('grpc-status') },
    grpcMessage: decodeURIComponent(String(told['grpc-message'] ?? '')),
    body: Buffer.concat(chunks),
  };
}
