import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { selfSignedCertificate } from './certificate.ts';
import { dataSourceService } from './data-source-service.ts';
import { emptyService } from './empty-service.ts';
import type { Log } from './log.ts';
import { controllerService, loadProtocol, providerService as providerServiceName } from './protocol.ts';
import type { Provider } from './provider.ts';
import { providerService } from './provider-service.ts';
import { resourceService } from './resource-service.ts';
import { type Rpc, unary } from './rpc.ts';
import { createSession } from './session.ts';

const maximumMessageBytes = 256 * 1024 * 1024;

export interface ServerParts<Client> {
  provider: Provider<Client>;
  /** PEM of the only client that may connect. */
  clientCertificate: string;
  log: Log;
  /** Called when Terraform asks the plugin to end, after the answer was given. */
  onShutdown: () => void;
}

export interface RunningServer {
  port: number;
  /** DER of the certificate it shows. */
  certificate: Buffer;
  /** Aborts what is running, lets calls end for `graceMilliseconds`, then closes. */
  close(graceMilliseconds?: number): Promise<void>;
}

/** Serves a provider on loopback over mutual TLS. */
export async function startServer<Client>(parts: ServerParts<Client>): Promise<RunningServer> {
  const { provider, clientCertificate, log, onShutdown } = parts;
  const session = createSession(provider, log);
  const protocol = loadProtocol();
  const server = new Server({
    'grpc.max_receive_message_length': maximumMessageBytes,
    'grpc.max_send_message_length': maximumMessageBytes,
  });
  const rpcs = {
    ...providerService(session),
    ...resourceService(session),
    ...dataSourceService(session),
    ...emptyService(),
  };
  server.addService(protocol[providerServiceName] as ServiceDefinition, implementation(rpcs, log));
  server.addService(protocol[controllerService] as ServiceDefinition, {
    Shutdown: unary('Shutdown', { run: () => afterAnswer(onShutdown) }, log),
  });
  const { der, certificatePem, privateKeyPem } = selfSignedCertificate();
  const pair = { private_key: Buffer.from(privateKeyPem), cert_chain: Buffer.from(certificatePem) };
  const credentials = ServerCredentials.createSsl(Buffer.from(clientCertificate), [pair], true);
  const port = await bind(server, credentials);
  const close = (graceMilliseconds = 500) => {
    session.stop.abort(new Error('The provider is shutting down.'));
    return closeServer(server, graceMilliseconds);
  };
  return { port, certificate: der, close };
}

/** Answers at once; what ends the process comes after the answer is on its way. */
function afterAnswer(end: () => void): object {
  setImmediate(end);
  return {};
}

function implementation(rpcs: object, log: Log): UntypedServiceImplementation {
  const entries = Object.entries(rpcs as { [name: string]: Rpc<unknown> });
  return Object.fromEntries(entries.map(([name, rpc]) => [name, unary(name, rpc, log)]));
}

function bind(server: Server, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port)));
  });
}

function closeServer(server: Server, graceMilliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.forceShutdown(), graceMilliseconds);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}
