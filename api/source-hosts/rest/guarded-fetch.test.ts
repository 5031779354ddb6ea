import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { suite, test } from 'node:test';
import {
  AddressNotAllowedError,
  createGuardedFetch,
  isAllowedAddress,
  parseNetworks,
} from './guarded-fetch.ts';

const special = [
  ...['127.0.0.1', '127.8.8.8', '0.0.0.0', '10.1.2.3', '172.16.0.1', '192.168.1.1', '100.64.0.1'],
  ...['169.254.169.254', '192.0.0.192', '224.0.0.1', '255.255.255.255', '198.18.0.1', '192.0.2.1'],
  ...['::1', '::', 'fe80::1', 'fd00:ec2::254', 'ff02::1', '::ffff:127.0.0.1', '::ffff:a9fe:a9fe'],
  ...['64:ff9b::7f00:1', '2002:7f00:1::', '2001:db8::1', '2001::1'],
];

suite('addresses that a team may make Ebb send to', () => {
  for (const address of special)
    test(`not ${address}`, () => assert.equal(isAllowedAddress(address, []), false));

  test('every public one', () => {
    for (const address of ['140.82.121.3', '8.8.8.8', '2606:50c0:8000::154', '::ffff:8.8.8.8'])
      assert.equal(isAllowedAddress(address, []), true, address);
  });

  test('and what the operator allowed, exactly', () => {
    const allowed = parseNetworks('10.1.0.0/16, fd00::/8');
    assert.equal(isAllowedAddress('10.1.255.1', allowed), true);
    assert.equal(isAllowedAddress('::ffff:10.1.2.3', allowed), true);
    assert.equal(isAllowedAddress('10.2.0.1', allowed), false);
    assert.equal(isAllowedAddress('fd12::1', allowed), true);
    assert.equal(isAllowedAddress('fe80::1', allowed), false);
  });

  test('a network that is none is told with how to write it', () => {
    assert.throws(
      () => parseNetworks('10.0.0.0'),
      /10\.0\.0\.0 is no network\. Write its address and length/,
    );
  });
});

suite('a fetch for addresses that teams choose', () => {
  for (const host of [
    '127.0.0.1',
    'localhost',
    '2130706433',
    '0x7f.1',
    '127.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
  ])
    test(`sends nothing to http://${host}`, async (t) => {
      const { port, requests } = await serve(t);
      const sent = createGuardedFetch([])(`http://${host}:${port}/`);
      await assert.rejects(sent, (error: Error) => error.cause instanceof AddressNotAllowedError);
      assert.equal(requests(), 0);
    });

  test('sends to this machine where that is allowed', async (t) => {
    const { port, requests } = await serve(t);
    const allowed = parseNetworks('127.0.0.0/8');
    for (const host of ['127.0.0.1', 'localhost']) {
      const answer = await createGuardedFetch(allowed)(`http://${host}:${port}/`);
      assert.equal(await answer.text(), 'here');
    }
    assert.equal(requests(), 2);
  });
});

async function serve(t: { after(end: () => void): void }) {
  let count = 0;
  const server = createServer((_request, response) => {
    count += 1;
    response.end('here');
  }).listen(0, '127.0.0.1');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, requests: () => count };
}
