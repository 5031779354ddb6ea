import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect, createServer, type Server } from 'node:tls';
import { promisify } from 'node:util';
import { certificateProblems, verifiedTls } from './verified-tls.ts';

const openssl = promisify(execFile);
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-verified-tls-'));
  await make('authority', 'authority');
  await make('leaf', 'localhost', 'authority');
  await make('misnamed', 'elsewhere.example', 'authority');
  await make('alone', 'elsewhere.example');
});
after(() => rm(folder, { recursive: true }));

const file = (name: string) => join(folder, name);
const pem = (name: string) => readFile(file(`${name}.pem`), 'utf8');

async function make(name: string, host: string, issuer?: string): Promise<void> {
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const files = ['-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)];
  const subject = ['-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`];
  const signer = issuer ? ['-CA', file(`${issuer}.pem`), '-CAkey', file(`${issuer}.key`)] : [];
  await openssl('openssl', ['req', '-x509', ...kind, ...files, ...subject, ...signer], { timeout: 30_000 });
}

/** Connects to a server with one certificate, trusting others; throws what the client throws. */
async function meet(server: string, trusted: string | undefined): Promise<void> {
  const listener: Server = createServer({
    cert: await pem(server),
    key: await readFile(file(`${server}.key`)),
  });
  listener.on('tlsClientError', () => {});
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const socket = connect({ host: 'localhost', port, ...verifiedTls(trusted) });
  try {
    await once(socket, 'secureConnect');
  } finally {
    socket.destroy();
    await new Promise((resolve) => listener.close(resolve));
  }
}

test('a server is trusted by its authority, under the name in its certificate', async () => {
  await meet('leaf', await pem('authority'));
  await assert.rejects(meet('misnamed', await pem('authority')), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
});

test('a server is trusted by its own certificate, whatever name and authority it has', async () => {
  await meet('alone', await pem('alone'));
  await meet('misnamed', await pem('misnamed'));
  await meet('misnamed', (await pem('leaf')) + (await pem('misnamed')));
});

test('a server is not trusted by other certificates, nor when there are none to trust it by', async () => {
  await assert.rejects(meet('leaf', await pem('alone')), /certificate/);
  await assert.rejects(meet('alone', await pem('authority')), /certificate/);
  await assert.rejects(meet('leaf', undefined), /certificate/);
});

test('what holds no certificate is named, without the text', async () => {
  assert.deepEqual(certificateProblems('X', await pem('leaf')), []);
  for (const text of [
    'hush',
    await readFile(file('leaf.key'), 'utf8'),
    (await pem('leaf')).replace('MII', 'AAA'),
  ]) {
    const [problem = ''] = certificateProblems('X', text);
    assert.match(problem, /^X holds no certificate in PEM/);
    assert.ok(!problem.includes(text.slice(0, 4)));
  }
});
