import assert from 'node:assert/strict';
import { Client, credentials, type ServiceDefinition } from '@grpc/grpc-js';
import type { Certificate } from './certificate.ts';
import { loadProtocol, providerService } from './protocol.ts';

/** An answer of the provider; what else it holds depends on the method. */
export interface Answer {
  diagnostics: { severity: number; summary: string; detail: string; attribute: unknown }[];
  [field: string]: unknown;
}

/** Calls the methods of a server as Terraform does: over mutual TLS, with a certificate of the caller's. */
export function connectTo(
  server: { port: number; certificate: Buffer },
  { privateKeyPem, certificatePem }: Pick<Certificate, 'privateKeyPem' | 'certificatePem'>,
) {
  const serverPem = `-----BEGIN CERTIFICATE-----\n${server.certificate.toString('base64')}\n-----END CERTIFICATE-----\n`;
  const tls = credentials.createSsl(
    Buffer.from(serverPem),
    Buffer.from(privateKeyPem),
    Buffer.from(certificatePem),
  );
  const client = new Client(`localhost:${server.port}`, tls);
  const protocol = loadProtocol();
  const call = (method: string, request: object, service = providerService) => {
    const definition = (protocol[service] as ServiceDefinition)[method];
    assert.ok(definition);
    const { path, requestSerialize, responseDeserialize } = definition;
    return new Promise<Answer>((resolve, reject) => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, answer) =>
        error ? reject(error) : resolve(answer as Answer),
      );
    });
  };
  return Object.assign(call, { close: () => client.close() });
}
