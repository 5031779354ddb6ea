import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { createSweptQueue } from './swept-queue-for-tests.ts';

test('a queue over TLS works with the certificate authority it was given, and not with another one', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-redis-tls-'));
  t.after(() => rm(folder, { recursive: true }));
  const key = join(folder, 'key.pem');
  const certificate = join(folder, 'certificate.pem');
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  await promisify(execFile)('openssl', [
    'req',
    '-x509',
    ...kind,
    '-keyout',
    key,
    '-out',
    certificate,
    ...subject,
  ]);
  const port = await freePort();
  const tls = [
    '--port',
    '0',
    '--tls-port',
    String(port),
    '--tls-cert-file',
    certificate,
    '--tls-key-file',
    key,
  ];
  const server = spawn('redis-server', [
    ...tls,
    '--tls-auth-clients',
    'no',
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--dir',
    folder,
  ]);
  const gone = once(server, 'close');
  t.after(async () => {
    server.kill('SIGKILL');
    await gone;
  });
  for await (const line of createInterface({ input: server.stdout }))
    if (line.includes('Ready to accept')) break;

  const url = `rediss://localhost:${port}`;
  const queue = await createSweptQueue({ url, ca: await readFile(certificate, 'utf8') });
  await queue.enqueue({ build: 'b1', project: 'p1', team: 't1' }, 1);
  assert.equal((await queue.claim('r1', 60_000))?.build, 'b1');
  await queue.close();
  await assert.rejects(createSweptQueue({ url }), /does not answer: .*(self-signed|certificate)/);
});
