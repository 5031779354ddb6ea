import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../queue/free-port.ts';
import type { ServerCertificate } from './certificates.ts';

/** A real Redis on `localhost` that speaks TLS only, with a password, as a provider's add-on does. */
export async function startRedisOverTls(
  certificate: ServerCertificate,
): Promise<{ url: string; close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-redis-tls-'));
  const port = await freePort();
  const password = randomBytes(16).toString('hex');
  const server = spawn('redis-server', ['-'], { cwd: folder, stdio: ['pipe', 'pipe', 'ignore'] });
  const gone = new Promise((resolve) => server.once('close', resolve));
  server.stdin.end(
    [
      'port 0',
      `tls-port ${port}`,
      `tls-cert-file ${certificate.certificateFile}`,
      `tls-key-file ${certificate.keyFile}`,
      'tls-auth-clients no',
      'bind 127.0.0.1',
      `requirepass ${password}`,
      'maxmemory-policy noeviction',
      'save ""',
      '',
    ].join('\n'),
  );
  await once(server, 'spawn');
  for await (const line of createInterface({ input: server.stdout })) {
    if (line.includes('Ready to accept')) break;
  }
  server.stdout.resume();
  if (server.exitCode !== null) throw new Error('redis-server did not start.');
  return {
    url: `rediss://:${password}@localhost:${port}`,
    async close() {
      server.kill('SIGKILL');
      await gone;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
