import { execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, chown, copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { endProcess, processIdentity } from '../contract/process-identity.ts';
import { freePort } from '../queue/free-port.ts';
import type { ServerCertificate } from './certificates.ts';
import { childProcesses } from './child-processes.ts';

const run = promisify(execFile);

export interface PostgresForTests {
  url: string;
  /** Kills all its processes at once, and starts it again, after `meanwhile`, at the same address on the same files. */
  killAndRestart(meanwhile?: () => Promise<unknown>): Promise<void>;
  close(): Promise<void>;
}

/**
 * A real PostgreSQL for one test file, on loopback, in a temporary folder that goes with it. With a certificate it is at
 * `localhost` and speaks TLS only. With `fsync` its commits are on the disk, as a benchmark of durability needs.
 */
export async function startPostgres(
  certificate?: ServerCertificate,
  fsync: 'on' | 'off' = 'off',
): Promise<PostgresForTests> {
  const binaries = findBinaries();
  const folder = await mkdtemp(join(tmpdir(), 'ebb-postgres-'));
  const account = await unprivilegedAccount();
  if (account) await chown(folder, account.uid, account.gid);
  const data = join(folder, 'data');
  const options = { ...(account ?? {}), env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' }, cwd: folder };
  await run(
    join(binaries, 'initdb'),
    ['-D', data, '-U', 'ebb', '-A', 'trust', '--no-sync', '-E', 'UTF8'],
    options,
  );
  const port = await freePort();
  const settings = [
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${folder}`,
    `fsync=${fsync}`,
    ...(certificate ? await requireTls(data, certificate, account) : []),
  ];
  const url = `postgresql://ebb@${certificate ? 'localhost' : '127.0.0.1'}:${port}/postgres`;
  const start = async () => {
    const server = spawn(
      join(binaries, 'postgres'),
      ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
      { ...options, stdio: 'ignore' },
    );
    const gone = new Promise((resolve) => server.once('close', resolve));
    await answers({ connectionString: url, ssl: certificate && { ca: certificate.authority } });
    return { server, gone };
  };
  let running = await start();
  return {
    url,
    async killAndRestart(meanwhile) {
      await killAll(running.server.pid ?? 0);
      await running.gone;
      await meanwhile?.();
      running = await start();
    },
    async close() {
      running.server.kill('SIGINT');
      await running.gone;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** First the parent, which would start a child anew; a new server does not start while a child of the old one is left. */
async function killAll(pid: number): Promise<void> {
  const parent = await processIdentity(pid);
  const children = await childProcesses(pid);
  if (parent) await endProcess(parent);
  await Promise.all(children.map(endProcess));
}

/** All of a database as `pg_dump` writes it. */
export async function dump(databaseUrl: string): Promise<Buffer> {
  const { stdout } = await run(join(findBinaries(), 'pg_dump'), ['--dbname', databaseUrl], {
    encoding: 'buffer',
    maxBuffer: 256 * 1024 * 1024,
  });
  return stdout;
}

/** Folder of `initdb`, `postgres` and `pg_dump`. */
function findBinaries(): string {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const found = [
    ...versions.map((version) => join(root, version, 'bin')),
    ...(process.env.PATH ?? '').split(':'),
  ].find((folder) => existsSync(join(folder, 'initdb')));
  if (!found) throw new Error('PostgreSQL is not installed: apt-get install postgresql');
  return found;
}

/** PostgreSQL refuses to run as root; the account that its package made runs it then. */
async function unprivilegedAccount(): Promise<{ uid: number; gid: number } | undefined> {
  if (userInfo().uid !== 0) return undefined;
  const id = async (flag: string) => Number((await run('id', [flag, 'postgres'])).stdout);
  return { uid: await id('-u'), gid: await id('-g') };
}

/** Takes connections over TLS only, and gives the settings for it. The server's account must own its key. */
async function requireTls(
  data: string,
  { certificateFile, keyFile }: ServerCertificate,
  account: { uid: number; gid: number } | undefined,
): Promise<string[]> {
  const key = join(data, 'server.key');
  await copyFile(keyFile, key);
  await chmod(key, 0o600);
  const certificate = join(data, 'server.crt');
  await copyFile(certificateFile, certificate);
  if (account) {
    await chown(key, account.uid, account.gid);
    await chown(certificate, account.uid, account.gid);
  }
  await writeFile(join(data, 'pg_hba.conf'), 'hostssl all all 127.0.0.1/32 trust\n');
  return ['ssl=on', `ssl_key_file=${key}`, `ssl_cert_file=${certificate}`];
}

async function answers(config: pg.ClientConfig): Promise<void> {
  for (let tries = 0; ; tries++) {
    const client = new pg.Client(config);
    client.on('error', () => {});
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (tries === 200) throw error;
      await delay(50);
    }
  }
}
