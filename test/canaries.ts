import { lstat, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import pg from 'pg';
import type { LiveJourney } from '../cli/demo/journey.ts';
import { defaultRuntimeDir } from '../cli/memory-folder.ts';
import { createFileKey, readKeyFile } from '../runner/custody/key-file.ts';
import { createKeyring } from '../runner/custody/keyring.ts';
import { openVault } from '../runner/custody/open.ts';
import { encodings } from './encodings.ts';
import { dump } from './postgres.ts';

/** Bytes that must stay where they belong. */
export interface Canaries {
  /** The 32-byte seed of the project's deploy key. */
  privateKey: Buffer;
  secret: Buffer;
  sourceLine: Buffer;
}

/** Opens the deploy key as only a runner can, so that its bytes can be searched for. */
export async function plantedCanaries(
  live: LiveJourney,
  { folder, databaseUrl }: { folder: string; databaseUrl: string },
): Promise<Canaries> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  const { rows } = await client.query(
    'select project.wrapped_private_key, deploy_key.sealed_private_key from project join deploy_key on project_id = project.id',
  );
  await client.end();
  const keyFile = join(folder, 'system', 'keys', 'runner', 'key-encryption-key.json');
  const vault = await openVault({
    keyring: createKeyring(createFileKey((await readKeyFile(keyFile)).privateKey)),
    wrappedPrivateKey: rows[0].wrapped_private_key,
    projectId: live.projectId,
  });
  const script = await readFile(join(folder, 'shop', 'test.sh'), 'utf8');
  const sourceLine = script
    .split('\n')
    .reduce((longest, line) => (line.length > longest.length ? line : longest));
  return {
    privateKey: (await vault.open(rows[0].sealed_private_key, 'deploy-key')).use((bytes) =>
      Buffer.from(bytes),
    ),
    secret: Buffer.from(live.secret),
    sourceLine: Buffer.from(sourceLine),
  };
}

type Name = keyof Canaries;

/** Searches files, plan, dumps and processes; gives a line for every canary that is where it may not be. */
export async function searchEverywhere(
  canaries: Canaries,
  { folder, live, databaseUrl }: { folder: string; live: LiveJourney; databaseUrl: string },
): Promise<string[]> {
  const needles = (Object.keys(canaries) as Name[]).flatMap((name) =>
    encodings(canaries[name]).map((needle) => ({ name, needle })),
  );
  const found: string[] = [];
  const search = (where: string, bytes: Buffer, allowed: readonly Name[] = []) => {
    for (const { name, needle } of needles) {
      if (!allowed.includes(name) && bytes.includes(needle)) found.push(`${name} in ${where}`);
    }
  };
  // A developer's own clone and the repository itself are where source belongs.
  const mayHoldSource = [join(folder, 'shop'), live.system.source.repositories];
  for (const root of [folder, await defaultRuntimeDir()]) {
    for (const path of await filesBelow(root)) {
      const allowed: Name[] = mayHoldSource.some((place) => path.startsWith(`${place}/`))
        ? ['sourceLine']
        : [];
      const bytes = await readFile(path).catch(() => Buffer.alloc(0));
      search(relative(folder, path), bytes, allowed);
      for (const member of unzip(bytes)) search(`${relative(folder, path)} (unpacked)`, member, allowed);
    }
  }
  // What programs leave in the machine's temporary folders; source may be there, for other tests' repositories.
  for (const root of [tmpdir(), '/dev/shm']) {
    const entries = (await readdir(root)).filter((name) => /^(ebb|tmp|core|node|v8|terraform)/i.test(name));
    for (const path of (await Promise.all(entries.map((name) => filesBelow(join(root, name))))).flat()) {
      if (path.startsWith(`${folder}/`)) continue;
      search(path, await readSmall(path), ['sourceLine']);
    }
  }
  search('the PostgreSQL dump', await dump(databaseUrl));
  for (const pid of (await readdir('/proc')).filter(
    (name) => /^\d+$/.test(name) && Number(name) !== process.pid,
  )) {
    for (const file of ['cmdline', 'environ']) {
      search(`/proc/${pid}/${file}`, await readFile(join('/proc', pid, file)).catch(() => Buffer.alloc(0)));
    }
  }
  return found;
}

// Images of machines and the like, which other tests make at the same time.
const largestBytes = 32 * 1024 * 1024;

async function readSmall(path: string): Promise<Buffer> {
  const { size } = await lstat(path).catch(() => ({ size: Number.POSITIVE_INFINITY }));
  return size > largestBytes ? Buffer.alloc(0) : await readFile(path).catch(() => Buffer.alloc(0));
}

/** Files in a folder and below; a file itself; none of anything else. */
async function filesBelow(root: string): Promise<string[]> {
  if ((await lstat(root).catch(() => undefined))?.isFile()) return [root];
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** The members of a zip file, such as a Terraform plan; none of anything else. */
function unzip(bytes: Buffer): Buffer[] {
  const end = bytes.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  if (end === -1 || bytes.readUInt32LE(0) !== 0x04034b50) return [];
  const members: Buffer[] = [];
  let at = bytes.readUInt32LE(end + 16);
  for (let count = bytes.readUInt16LE(end + 10); count > 0; count--) {
    const header = bytes.readUInt32LE(at + 42);
    const start = header + 30 + bytes.readUInt16LE(header + 26) + bytes.readUInt16LE(header + 28);
    const packed = bytes.subarray(start, start + bytes.readUInt32LE(at + 20));
    members.push(bytes.readUInt16LE(at + 10) === 8 ? inflateRawSync(packed) : packed);
    at += 46 + bytes.readUInt16LE(at + 28) + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return members;
}
