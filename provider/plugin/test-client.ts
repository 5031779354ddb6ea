import assert from 'node:assert/strict';
import { Client, credentials } from '@grpc/grpc-js';
import type { Certificate } from './certificate.ts';
import { providerService } from './protocol.ts';
import { servicesOfGrpc } from './protocol-for-tests.ts';

/** An answer of the provider; what else it holds depends on the method. */
export interface Answer {
  diagnostics: { severity: number; summary: string; detail: string; attribute: unknown }[];
  [field: string]: unknown;
}

/** Calls the methods of a server as Terraform does: over mutual TLS, with a certificate of the caller's. */
export function connectTo(
  server: { address: string; certificate: Buffer },
  { privateKeyPem, certificatePem }: Pick<Certificate, 'privateKeyPem' | 'certificatePem'>,
) {
  const serverPem = `-----BEGIN CERTIFICATE-----\n${server.certificate.toString('base64')}\n-----END CERTIFICATE-----\n`;
  const tls = credentials.createSsl(
    Buffer.from(serverPem),
    Buffer.from(privateKeyPem),
    Buffer.from(certificatePem),
  );
  const isSocket = server.address.startsWith('/');
  const target = isSocket ? `unix:${server.address}` : server.address;
  const client = new Client(target, tls, { 'grpc.ssl_target_name_override': 'localhost' });
  const protocol = servicesOfGrpc();
  /** One that there is not goes as any other would. */
  const definitionOf = (method: string, service: string) => {
    const definition = protocol[service]?.[method];
    const [any] = Object.values(protocol[providerService] ?? {});
    assert.ok(any);
    return definition ?? { ...any, path: `/${service}/${method}` };
  };
  const call = (method: string, request: object, service = providerService) => {
    const { path, requestSerialize, responseDeserialize } = definitionOf(method, service);
    return new Promise<Answer>((resolve, reject) => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, answer) =>
        error ? reject(error) : resolve(answer as Answer),
      );
    });
  };
  const stream = async (method: string, request: object) => {
    const { path, requestSerialize, responseDeserialize } = definitionOf(method, providerService);
    const answers = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
    return (await answers.toArray()) as Record<string, unknown>[];
  };
  return Object.assign(call, { stream, close: () => client.close() });
}
