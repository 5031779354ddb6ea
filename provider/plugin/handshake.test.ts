import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HandshakeError, handshakeLine, readHandshake } from './handshake.ts';

const environment = {
  TF_PLUGIN_MAGIC_COOKIE: 'd602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2',
  PLUGIN_PROTOCOL_VERSIONS: '5,6',
  PLUGIN_CLIENT_CERT: 'PEM',
};

test('the handshake gives the certificate of the client', () => {
  assert.deepEqual(readHandshake(environment), { clientCertificate: 'PEM' });
});

test('what is missing is said in words for people', () => {
  const refused = (change: object, message: RegExp) =>
    assert.throws(() => readHandshake({ ...environment, ...change }), {
      constructor: HandshakeError,
      message,
    });
  refused({ TF_PLUGIN_MAGIC_COOKIE: undefined }, /started by Terraform or OpenTofu, not by hand/);
  refused({ PLUGIN_PROTOCOL_VERSIONS: '4,5' }, /offers plugin protocols "4,5", this provider speaks 6/);
  refused({ PLUGIN_CLIENT_CERT: '' }, /PLUGIN_CLIENT_CERT is not set/);
});

test('the line has the address and the certificate in base64 without padding', () => {
  const certificate = Buffer.from('a');
  assert.equal(handshakeLine('tcp', '127.0.0.1:4711', certificate), '1|6|tcp|127.0.0.1:4711|grpc|YQ\n');
  assert.equal(handshakeLine('unix', '/tmp/p/socket', certificate), '1|6|unix|/tmp/p/socket|grpc|YQ\n');
});
