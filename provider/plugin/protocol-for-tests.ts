import type { ServiceDefinition } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import protobuf from 'protobufjs';
import { messages } from './messages.ts';
import type { MessageFields } from './protobuf.ts';
import { controllerMethods, controllerService, providerMethods, providerService } from './protocol.ts';

/** The messages as protobuf.js reads and writes them. */
export function typesOfProtobufJs() {
  const types = Object.entries(messages).map(([name, fields]) => [name, messageType(fields)]);
  const root = protobuf.Root.fromJSON({ nested: Object.fromEntries(types) });
  return (name: string) => {
    const type = root.lookupType(name);
    return {
      encode: (message: object): Uint8Array => type.encode(type.fromObject(message)).finish(),
      decode: (bytes: Uint8Array): object =>
        type.toObject(type.decode(bytes), { defaults: true, longs: Number }),
    };
  };
}

/** The services as gRPC's own library speaks them: what it reads, we wrote. */
export function servicesOfGrpc(): { [name: string]: ServiceDefinition } {
  const types = Object.fromEntries(
    Object.entries(messages).map(([name, fields]) => [name, messageType(fields)]),
  );
  const nested = {
    tfplugin6: { nested: { ...types, Provider: { methods: methodsOf(providerMethods) } } },
    plugin: { nested: { Empty: { fields: {} }, GRPCController: { methods: methodsOf(controllerMethods) } } },
  };
  const definitions = fromJSON({ nested } as Parameters<typeof fromJSON>[0], {
    keepCase: true,
    longs: Number,
    defaults: true,
    oneofs: true,
  });
  return Object.fromEntries(
    [providerService, controllerService].map((name) => [name, definitions[name] as ServiceDefinition]),
  );
}

function methodsOf(methods: typeof providerMethods) {
  return Object.fromEntries(
    Object.entries(methods).map(([name, { request, response, streams }]) => [
      name,
      { requestType: request, responseType: response, responseStream: streams ?? false },
    ]),
  );
}

function messageType(fields: MessageFields) {
  const entries = Object.entries(fields).map(([name, notation]) => [name, field(notation)] as const);
  const alternatives = Object.keys(fields).filter((name) => fields[name]?.split(' ')[1] === 'one');
  return {
    fields: Object.fromEntries(entries),
    ...(alternatives.length > 0 && { oneofs: { selector: { oneof: alternatives } } }),
  };
}

function field(notation: string) {
  const [id, ...words] = notation.split(' ');
  const type = words.at(-1);
  if (words[0] === 'repeated') return { id: Number(id), type, rule: 'repeated' };
  if (words[0] === 'map') return { id: Number(id), type, keyType: 'string' };
  return { id: Number(id), type };
}
