import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { ApiConfiguration } from '../../api/configuration.ts';
import { createCertificate } from '../../test/certificates.ts';
import { addressFindings } from './address-findings.ts';
import { codesOf, folderFor } from './doctor-for-tests.ts';

const configured = (values: Partial<ApiConfiguration>) =>
  ({
    EBB_LISTEN: '0.0.0.0:4800',
    EBB_PUBLIC_URL: 'https://ebb.example.com',
    ...values,
  }) as ApiConfiguration;
const now = new Date();
const inDays = (days: number) => new Date(now.getTime() + days * 24 * 3600_000);

test('plain text beyond this machine is found', () => {
  const at = (url: string) => codesOf(addressFindings(configured({ EBB_PUBLIC_URL: url }), now));
  assert.deepEqual(at('http://ebb.example.com'), ['public_url_is_http']);
  for (const url of [
    'http://127.0.0.1:4800',
    'http://localhost:4800',
    'http://[::1]:4800',
    'https://ebb.example.com',
  ])
    assert.deepEqual(at(url), [], url);
});

test('that a router is believed is told where others than it could reach the port', () => {
  const routed = (EBB_LISTEN: string) =>
    codesOf(addressFindings(configured({ EBB_LISTEN, EBB_BEHIND_TLS_ROUTER: true }), now));
  assert.deepEqual(routed('0.0.0.0:4800'), ['router_is_trusted']);
  assert.deepEqual(routed('127.0.0.1:4800'), []);
});

test('a proxy on this machine that the API does not know of is told by the address that people use', () => {
  const at = (values: Partial<ApiConfiguration>) =>
    codesOf(addressFindings(configured({ EBB_LISTEN: '127.0.0.1:4800', ...values }), now));
  assert.deepEqual(at({}), ['proxy_not_declared']);
  assert.deepEqual(at({ EBB_BEHIND_TLS_ROUTER: true }), []);
  assert.deepEqual(at({ EBB_PUBLIC_URL: 'http://127.0.0.1:4800' }), []);
});

test('a certificate that ends soon, or is for another name, is found', async (t) => {
  const { certificateFile } = await createCertificate(await folderFor(t), 'ebb.example.com');
  const EBB_TLS_CERT = await readFile(certificateFile, 'utf8');
  const at = (date: Date, values = {}) => addressFindings(configured({ EBB_TLS_CERT, ...values }), date);
  // It ends two days after it was made.
  assert.deepEqual(at(inDays(-40)), []);
  assert.deepEqual(
    at(inDays(-20)).map(({ code, severity }) => [code, severity]),
    [['certificate_ends_soon', 'medium']],
  );
  assert.match(at(now)[0]?.what ?? '', /ends in [12] days/);
  assert.match(at(inDays(3))[0]?.what ?? '', /has ended/);
  assert.equal(at(inDays(3))[0]?.severity, 'high');
  for (const EBB_PUBLIC_URL of ['https://other.example.com', 'https://192.0.2.1', 'https://[2001:db8::1]'])
    assert.deepEqual(codesOf(at(inDays(-40), { EBB_PUBLIC_URL })), ['certificate_of_another_name']);
  const broken = addressFindings(configured({ EBB_TLS_CERT: 'no certificate' }), now);
  assert.deepEqual(codesOf(broken), ['certificate_unreadable']);
});
