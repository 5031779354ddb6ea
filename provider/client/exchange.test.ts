import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { selfSignedCertificate } from '../plugin/certificate.ts';

/** What a process with this environment gets from a URL. */
async function exchanged(url: string, environment: Record<string, string>): Promise<string> {
  const module = new URL('exchange.ts', import.meta.url).href;
  const program = `
    import { exchange } from ${JSON.stringify(module)};
    const order = { method: 'GET', url: ${JSON.stringify(url)}, headers: { authorization: 'hidden' } };
    const rest = { timeoutMilliseconds: 10_000, signal: AbortSignal.timeout(10_000) };
    await exchange({ ...order, ...rest }).then(({ text }) => console.log(text), ({ code }) => console.log(code));
  `;
  const words = ['--input-type=module', '--no-warnings', '--eval', program];
  const { stdout } = await promisify(execFile)(process.execPath, words, { env: environment });
  return stdout.trim();
}

async function listening(t: TestContext, server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

test('it goes through the proxy of the environment, but for this machine itself', async (t) => {
  const proxy = createServer(({ url }, response) => response.end(`proxied ${url}`));
  const direct = createServer((_, response) => response.end('direct'));
  const environment = { HTTP_PROXY: `http://127.0.0.1:${await listening(t, proxy)}` };
  const elsewhere = 'http://ebb.example.com/v1/projects';
  assert.equal(await exchanged(elsewhere, environment), `proxied ${elsewhere}`);
  const here = `http://127.0.0.1:${await listening(t, direct)}/v1/projects`;
  assert.equal(await exchanged(here, environment), 'direct');
});

test('a certificate that nobody vouches for gets no request, whatever the environment says', async (t) => {
  const { certificatePem: cert, privateKeyPem: key } = selfSignedCertificate();
  let asked = 0;
  const server = createTlsServer({ cert, key }, (_, response) => response.end(`${++asked}`));
  const url = `https://localhost:${await listening(t, server)}/v1/projects`;
  const code = await exchanged(url, { NODE_TLS_REJECT_UNAUTHORIZED: '0' });
  assert.deepEqual([code, asked], ['DEPTH_ZERO_SELF_SIGNED_CERT', 0]);
});
