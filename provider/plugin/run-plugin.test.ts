import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { selfSignedCertificate } from './certificate.ts';

const program = `
  import { runPlugin } from ${JSON.stringify(fileURLToPath(new URL('./run-plugin.ts', import.meta.url)))};
  const schema = { version: 0, description: '', attributes: {} };
  runPlugin({ schema, configure: async () => null, resources: {}, dataSources: {} }, process.env);
`;
const words = ['--input-type=module', '--eval', program];
const environment = () => ({
  TF_PLUGIN_MAGIC_COOKIE: 'd602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2',
  PLUGIN_PROTOCOL_VERSIONS: '6',
  TF_LOG: 'debug',
  PLUGIN_CLIENT_CERT: selfSignedCertificate().certificatePem,
});

async function firstLine(child: ChildProcess): Promise<string> {
  assert.ok(child.stdout);
  const [chunk] = await once(child.stdout, 'data');
  return String(chunk);
}

test('started by hand it says what it is and fails', async () => {
  const child = spawn(process.execPath, words, { env: {} });
  const [output, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  assert.match(output, /^This is a Terraform provider\./);
  assert.equal(code, 1);
});

test('an interrupt is left to Terraform, and a request to end is followed', async () => {
  const child = spawn(process.execPath, words, { env: environment() });
  await firstLine(child);
  const ignored = once(child.stderr, 'data');
  child.kill('SIGINT');
  assert.match(String((await ignored)[0]), /interrupt ignored/);
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test('it listens where only its user comes in, and leaves nothing there', {
  skip: process.platform === 'win32',
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-sockets-'));
  t.after(() => rm(folder, { recursive: true }));
  const child = spawn(process.execPath, words, { env: { ...environment(), PLUGIN_UNIX_SOCKET_DIR: folder } });
  const [, path = ''] = /^1\|6\|unix\|([^|]+)\|grpc\|[A-Za-z0-9+/]+\n$/.exec(await firstLine(child)) ?? [];
  assert.ok(path.startsWith(folder), path);
  assert.equal((await stat(dirname(path))).mode & 0o777, 0o700);
  child.kill('SIGTERM');
  await once(child, 'exit');
  assert.deepEqual(await readdir(folder), []);
});

const quoted = [process.execPath, ...words].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');

test('it ends when the process that started it was killed', async () => {
  const parent = spawn('/bin/sh', ['-c', `${quoted} & wait`], { env: environment() });
  await firstLine(parent);
  parent.kill('SIGKILL');
  // The pipe is closed when the last process that holds it is gone.
  await once(parent.stdout, 'close');
});

test('it ends when nobody reads what it logs any more', { timeout: 20_000 }, async (t) => {
  const script = `{ ${quoted} 2>&1 1>&3 | true; } 3>&1`;
  const parent = spawn('/bin/sh', ['-c', script], { env: environment(), detached: true });
  const everyone = -(parent.pid ?? 0);
  t.after(() => {
    if (parent.stdout.readable) process.kill(everyone, 'SIGKILL');
  });
  await firstLine(parent);
  process.kill(everyone, 'SIGINT');
  parent.kill('SIGKILL');
  await once(parent.stdout, 'close');
});
