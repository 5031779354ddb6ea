import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listenAddress } from './listen-address.ts';

test('on Windows the ports are those that Terraform allows, or any', () => {
  const ports = (environment: Record<string, string>) => {
    const address = listenAddress(environment, 'win32');
    return address.network === 'tcp' && address.ports;
  };
  assert.deepEqual(ports({ PLUGIN_MIN_PORT: '10000', PLUGIN_MAX_PORT: '10002' }), [10_000, 10_001, 10_002]);
  assert.deepEqual(ports({}), [0]);
  assert.deepEqual(ports({ PLUGIN_MIN_PORT: '9', PLUGIN_MAX_PORT: '3' }), [0]);
});

test('where a socket would have too long a path it is a port', () => {
  const address = listenAddress({ PLUGIN_UNIX_SOCKET_DIR: `/${'long/'.repeat(30)}` }, 'linux');
  assert.equal(address.network, 'tcp');
});
