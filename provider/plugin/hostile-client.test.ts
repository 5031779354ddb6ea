import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { selfSignedCertificate } from './certificate.ts';
import { encodeValue } from './encode-value.ts';
import { createGrpcServer } from './grpc-server.ts';
import { createLog } from './log.ts';
import { codecOf } from './protocol.ts';
import { connectRaw, framed, pathOf, rawCall, tlsTo } from './raw-client-for-tests.ts';
import { connect, open, schema, testProvider, thing, wire } from './serve-for-tests.ts';

const timeout = 60_000;
const identity = {
  version: 0,
  attributes: { id: { type: 'string' as const, description: '', required: true } },
  of: () => ({ id: 't1' }),
};
const nothing = framed(Buffer.alloc(0));
const listRequest = framed(
  codecOf('ListResourceRequest').encode({
    ...{ type_name: 'test_thing', include_resource_object: true },
    config: { msgpack: encodeValue({}, ['object', {}]) },
  }),
);

/** A provider that reads, and lists what it is told to, with a connection that may send anything. */
async function served(
  t: TestContext,
  list: () => AsyncIterable<{ displayName: string; state: typeof thing }>,
) {
  const listResources = { test_thing: { schema: { ...schema, attributes: {} }, list } };
  const provider = testProvider({ identity, read: async ({ state }) => ({ state }) }, { listResources });
  const connected = await connect(t, provider);
  const session = await connectRaw(t, connected.server, connected.client);
  const isWell = async () => {
    const answer = await connected.call('ReadResource', {
      type_name: 'test_thing',
      current_state: wire(thing),
    });
    assert.deepEqual(open(answer.new_state), thing);
  };
  return { ...connected, session, isWell };
}
async function* none() {}

test('a list of nothing is an answer without messages', { timeout }, async (t) => {
  const { stream } = await served(t, none);
  const config = { msgpack: encodeValue({}, ['object', {}]) };
  assert.deepEqual(await stream('ListResource', { type_name: 'test_thing', config }), []);
});

test('what is not gRPC is told so', { timeout }, async (t) => {
  const { session, isWell } = await served(t, none);
  for (const type of ['application/json', 'text/plain', '']) {
    const headers = { 'content-type': type };
    assert.equal((await rawCall(session, pathOf('GetMetadata'), nothing, { headers })).httpStatus, 415);
  }
  const headers = { 'content-type': 'application/grpc+proto' };
  assert.equal((await rawCall(session, pathOf('GetMetadata'), nothing, { headers })).grpcStatus, 0);
  await isWell();
});

test('frames that are cut, compressed, too many or too large are refused', { timeout }, async (t) => {
  const { session, isWell } = await served(t, none);
  const message = Buffer.alloc(10);
  const [resourceExhausted, unimplemented, internal] = [8, 12, 13];
  const refused: [Buffer, number][] = [
    [Buffer.alloc(0), internal],
    [Buffer.alloc(3), internal],
    [framed(message, { length: 100 }), internal],
    [framed(message, { length: 5 }), internal],
    [Buffer.concat([nothing, nothing]), internal],
    [framed(message, { flag: 1 }), unimplemented],
    [framed(message, { length: 0xffff_ffff }), resourceExhausted],
  ];
  for (const [body, status] of refused)
    assert.equal((await rawCall(session, pathOf('GetMetadata'), body)).grpcStatus, status);
  await isWell();
});

test('a length that no message may have is refused before the message comes', { timeout }, async (t) => {
  const { session } = await served(t, none);
  const body = framed(Buffer.alloc(10), { length: 0x7fff_ffff });
  assert.equal((await rawCall(session, pathOf('GetMetadata'), body, { ends: false })).grpcStatus, 8);
});

test('methods that there are not are refused, however they are called', { timeout }, async (t) => {
  const { session, isWell } = await served(t, none);
  for (const path of [
    '/',
    '/constructor',
    pathOf('__proto__'),
    pathOf('x'.repeat(30_000)),
    pathOf('%ff\xe4'),
  ]) {
    const answer = await rawCall(session, path, nothing);
    assert.equal(answer.grpcStatus, 12);
    assert.match(answer.grpcMessage, /^This plugin does not serve \//);
  }
  await isWell();
});

test('streams that are reset in the middle leave the others alone', { timeout }, async (t) => {
  const { session, isWell } = await served(t, none);
  const codes = [constants.NGHTTP2_CANCEL, constants.NGHTTP2_INTERNAL_ERROR];
  const resets = Array.from({ length: 300 }, async (_, index) => {
    const headers = { ':method': 'POST', ':path': pathOf('GetMetadata'), 'content-type': 'application/grpc' };
    const stream = session.request(headers);
    stream.on('error', () => {});
    stream.resume();
    const closed = once(stream, 'close').catch(() => {});
    if (index % 3 > 0) stream.write(nothing.subarray(0, 1 + (index % 5)));
    if (index % 3 > 1) stream.end();
    // Each comes at another point of the call.
    for (let turn = 0; turn < index % 7; turn += 1) await new Promise(setImmediate);
    stream.close(codes[index % codes.length]);
    await closed;
  });
  await Promise.all(resets);
  await isWell();
});

test('a list that nobody reads any more is ended', { timeout }, async (t) => {
  const ended = Promise.withResolvers<void>();
  const big = { ...thing, name: 'x'.repeat(1_000_000) };
  async function* endless() {
    try {
      for (;;) yield { displayName: '', state: big };
    } finally {
      ended.resolve();
    }
  }
  const { session, isWell } = await served(t, endless);
  const stream = session.request({
    ...{ ':method': 'POST', ':path': pathOf('ListResource'), 'content-type': 'application/grpc' },
  });
  stream.on('error', () => {});
  stream.end(listRequest);
  await once(stream, 'response');
  // What is not read fills the window, until the plugin waits.
  stream.pause();
  await isWell();
  stream.close(constants.NGHTTP2_CANCEL);
  await ended.promise;
  await isWell();
});

test('a thousand calls at once are all answered', { timeout }, async (t) => {
  const { session, isWell } = await served(t, none);
  const calls = Array.from({ length: 1000 }, () => rawCall(session, pathOf('GetMetadata'), nothing));
  assert.ok((await Promise.all(calls)).every(({ grpcStatus }) => grpcStatus === 0));
  await isWell();
});

test('a client without the certificate that is known is not let in', { timeout }, async (t) => {
  const { server, isWell } = await served(t, none);
  const [host, port] = server.address.split(':');
  for (const client of [undefined, selfSignedCertificate()]) {
    const socket = connectTls({ host, port: Number(port), ALPNProtocols: ['h2'], ...tlsTo(server, client) });
    socket.on('error', () => {});
    socket.resume();
    await once(socket, 'close').catch(() => {});
  }
  await isWell();
});

test('what is no HTTP/2 harms nobody', { timeout }, async (t) => {
  const { server, client, isWell } = await served(t, none);
  const [host, port] = server.address.split(':');
  const garbage = [
    'GET / HTTP/1.1\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff',
    '\0'.repeat(100),
  ];
  for (const text of garbage) {
    const options = { host, port: Number(port), ALPNProtocols: ['h2'], ...tlsTo(server, client) };
    for (const socket of [connectTls(options), connectTcp({ host, port: Number(port) })]) {
      socket.on('error', () => {});
      socket.resume();
      socket.end(Buffer.from(text, 'latin1'));
      await once(socket, 'close').catch(() => {});
    }
  }
  await isWell();
});

test('connections and calls that are never finished do not keep the plugin from ending', {
  timeout,
}, async (t) => {
  const { server, client, session, isWell } = await served(t, none);
  const [host, port] = server.address.split(':');
  const tcp = connectTcp({ host, port: Number(port) });
  const tls = connectTls({ host, port: Number(port), ALPNProtocols: ['h2'], ...tlsTo(server, client) });
  for (const socket of [tcp, tls]) socket.on('error', () => {});
  await Promise.all([once(tcp, 'connect'), once(tls, 'secureConnect')]);
  const halfDone = rawCall(session, pathOf('GetMetadata'), nothing.subarray(0, 2), { ends: false });
  await isWell();
  await server.close(0);
  assert.equal((await halfDone).grpcStatus, undefined);
});

test('a handler that fails after it began to answer says so at the end', { timeout }, async (t) => {
  const [own, client] = [selfSignedCertificate(), selfSignedCertificate()];
  async function* handler() {
    yield Buffer.of(1);
    throw new Error(`It broke: \ud800 ${'x'.repeat(100_000)}`);
  }
  const server = createGrpcServer({
    handlers: new Map([['/s/m', handler]]),
    ...{ certificate: own.certificatePem, privateKey: own.privateKeyPem },
    ...{ clientCertificate: client.certificatePem, log: createLog(() => {}) },
  });
  const address = await server.listen({ ports: [0] });
  t.after(() => server.close(0));
  const session = await connectRaw(t, { address, certificate: own.der }, client);
  const answer = await rawCall(session, '/s/m', nothing);
  assert.equal(answer.grpcStatus, 13);
  assert.match(answer.grpcMessage, /^It broke: \ufffd x+$/);
  assert.deepEqual(answer.body, framed(Buffer.of(1)));
});
