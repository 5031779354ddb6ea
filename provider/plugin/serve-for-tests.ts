import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { selfSignedCertificate } from './certificate.ts';
import { decodeValue } from './decode-value.ts';
import { encodeValue } from './encode-value.ts';
import { createLog } from './log.ts';
import type { Provider } from './provider.ts';
import { objectType, type Schema } from './schema.ts';
import { startServer } from './server.ts';
import { connectTo } from './test-client.ts';
import type { Value } from './value.ts';

/** A resource with what matters: a computed, a required and a write-only attribute. */
export const schema: Schema = {
  version: 0,
  description: 'A thing.',
  attributes: {
    id: { type: 'string', computed: true, description: '' },
    name: { type: 'string', required: true, description: '' },
    secret_wo: { type: 'string', optional: true, writeOnly: true, description: '' },
  },
};
const type = objectType(schema.attributes);
export const wire = (value: Value) => ({ msgpack: encodeValue(value, type) });
export const open = (answer: unknown) =>
  answer ? decodeValue((answer as { msgpack: Uint8Array }).msgpack, type) : answer;
export const thing = { id: 't1', name: 'a', secret_wo: null };

/** A provider with one resource, of which a test gives what it uses, and more kinds of things. */
export function testProvider(
  resource: Partial<Provider<string>['resources'][string]>,
  more: Partial<Provider<string>> = {},
): Provider<string> {
  const unused = () => assert.fail('not called in this test');
  const operations = { create: unused, read: unused, update: unused, delete: unused, import: unused };
  return {
    schema: {
      version: 0,
      description: '',
      attributes: { key: { type: 'string', optional: true, description: '' } },
    },
    configure: async () => 'client',
    resources: { test_thing: { schema, ...operations, ...resource } },
    dataSources: {},
    ...more,
  };
}

/** Serves a provider for one test, configured, to a client that may connect. */
export async function connect(t: TestContext, provider: Provider<string>) {
  const client = selfSignedCertificate();
  const lines: string[] = [];
  const shutdown = Promise.withResolvers<void>();
  const server = await startServer({
    provider,
    clientCertificate: client.certificatePem,
    listenAt: { ports: [0] },
    log: createLog((line) => lines.push(line)),
    onShutdown: () => shutdown.resolve(),
  });
  const call = connectTo(server, client);
  t.after(async () => {
    call.close();
    await server.close(0);
  });
  await call('ConfigureProvider', {
    terraform_version: '1.11.4',
    config: { msgpack: encodeValue({ key: null }, ['object', { key: 'string' }]) },
  });
  return { call, stream: call.stream, server, client, lines, shutdown: shutdown.promise };
}
