import { actionService } from './action-service.ts';
import { selfSignedCertificate } from './certificate.ts';
import { dataSourceService } from './data-source-service.ts';
import { ephemeralService } from './ephemeral-service.ts';
import { functionService } from './function-service.ts';
import type { GrpcHandler } from './grpc-call.ts';
import { createGrpcServer, type GrpcServer } from './grpc-server.ts';
import { listService } from './list-service.ts';
import type { Log } from './log.ts';
import {
  controllerMethods,
  controllerService,
  providerMethods,
  providerService as providerServiceName,
} from './protocol.ts';
import type { Provider } from './provider.ts';
import { providerService } from './provider-service.ts';
import { resourceService } from './resource-service.ts';
import { handlerOf, type Rpc, type StreamingRpc } from './rpc.ts';
import { createSession } from './session.ts';
import { stateService } from './state-service.ts';

export interface ServerParts<Client> {
  provider: Provider<Client>;
  /** PEM of the only client that may connect. */
  clientCertificate: string;
  log: Log;
  /** Where it listens. */
  listenAt: Parameters<GrpcServer['listen']>[0];
  /** Called when Terraform asks the plugin to end, after the answer was given. */
  onShutdown: () => void;
}

export interface RunningServer {
  /** Path of the Unix socket, or `127.0.0.1:PORT`. */
  address: string;
  /** DER of the certificate it shows. */
  certificate: Buffer;
  /** Aborts what is running, lets calls end for `graceMilliseconds`, then closes. */
  close(graceMilliseconds?: number): Promise<void>;
}

/** Serves a provider over mutual TLS. */
export async function startServer<Client>(parts: ServerParts<Client>): Promise<RunningServer> {
  const { provider, clientCertificate, log, onShutdown } = parts;
  const session = createSession(provider, log);
  const rpcs = {
    ...providerService(session),
    ...resourceService(session),
    ...dataSourceService(session),
    ...stateService(session),
    ...ephemeralService(session),
    ...functionService(session),
    ...listService(session),
    ...actionService(session),
  };
  const surroundings = { log, stop: session.stop.signal };
  const controller = { Shutdown: { run: () => afterAnswer(onShutdown) } };
  const handlers = new Map([
    ...handlersOf(providerServiceName, providerMethods, rpcs, surroundings),
    ...handlersOf(controllerService, controllerMethods, controller, surroundings),
  ]);
  const { der, certificatePem, privateKeyPem } = selfSignedCertificate();
  const server = createGrpcServer({
    ...{ handlers, certificate: certificatePem, privateKey: privateKeyPem, clientCertificate, log },
  });
  const address = await server.listen(parts.listenAt);
  const close = (graceMilliseconds = 500) => {
    session.stop.abort(new Error('The provider is shutting down.'));
    return server.close(graceMilliseconds);
  };
  return { address, certificate: der, close };
}

/** Answers at once; what ends the process comes after the answer is on its way. */
function afterAnswer(end: () => void): object {
  setImmediate(end);
  return {};
}

/** A method without an implementation is answered as gRPC answers what it does not know. */
function handlersOf(
  service: string,
  methods: typeof providerMethods,
  rpcs: object,
  surroundings: { log: Log; stop: AbortSignal },
): [string, GrpcHandler][] {
  const implemented = rpcs as { [name: string]: Rpc<unknown> | StreamingRpc<unknown> };
  return Object.entries(methods).flatMap(([name, types]): [string, GrpcHandler][] => {
    const rpc = implemented[name];
    return rpc ? [[`/${service}/${name}`, handlerOf(name, rpc, types, surroundings)]] : [];
  });
}
