import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { unzip } from '../acceptance/unzip.ts';
import { buildRelease } from './build-release.ts';
import { fetchNode } from './fetch-node.ts';
import { installFromArchive } from './install-for-tests.ts';
import { verifySignature } from './mach-o/verify.ts';
import { executableName } from './mirror.ts';
import { type ReleaseTarget, releaseTargets } from './node-builds.ts';
import { releaseNames } from './release-files.ts';

// Builds a whole release twice, in minutes, and fetches 300 MB before the first: npm run test:provider-release.
const signal = AbortSignal.timeout(60 * 60_000);
const cacheDir = resolve('.ebb', 'cache', 'provider-release');
const macs = releaseTargets.filter(({ system }) => system === 'darwin');

let folder: string;
let outDir: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-release-'));
  outDir = join(folder, 'first');
  await buildRelease({ outDir, cacheDir, signal });
});
after(() => rm(folder, { recursive: true, force: true }));

async function executableOf(target: ReleaseTarget): Promise<Buffer> {
  const contents = unzip(await readFile(join(outDir, releaseNames.zip(target))));
  const executable = contents.get(executableName(target.system));
  assert.ok(executable);
  return executable;
}

test('the checksums are those of all other files', async () => {
  const checked = execFileSync('sha256sum', ['--check', '--strict', releaseNames.sums], { cwd: outDir });
  const files = await readdir(outDir);
  assert.equal(checked.toString().trim().split('\n').length, files.length - 1);
  assert.equal(files.length, 2 * releaseTargets.length + 2);
});

test('Terraform installs the provider from the archive for Linux on x64 and starts it', async (t) => {
  const archive = join(outDir, releaseNames.zip({ system: 'linux', processor: 'x64' }));
  const schemas = await installFromArchive(t, archive);
  assert.ok(schemas.resource_schemas.ebb_project);
});

test('each executable is one for its platform', async () => {
  // Magic number and machine, from the start of the file or, for Windows, of its PE header.
  const headers = {
    'linux x64': ['7f454c46', 18, '3e00'],
    'linux arm64': ['7f454c46', 18, 'b700'],
    'darwin x64': ['cffaedfe', 4, '07000001'],
    'darwin arm64': ['cffaedfe', 4, '0c000001'],
    'win32 x64': ['50450000', 4, '6486'],
  } as const;
  for (const target of releaseTargets) {
    const executable = await executableOf(target);
    const [magic, at, machine] = headers[`${target.system} ${target.processor}` as keyof typeof headers];
    const start = target.system === 'win32' ? executable.readUInt32LE(0x3c) : 0;
    assert.equal(executable.toString('hex', start, start + 4), magic);
    assert.equal(executable.toString('hex', start + at, start + at + machine.length / 2), machine);
  }
});

test("the signature of Node's publisher is understood, page by page, and a changed byte in it noticed", async () => {
  for (const { node, processor } of macs) {
    const nodeFolder = join(folder, `node-${processor}`);
    await mkdir(nodeFolder);
    const { program } = await fetchNode(node, {
      cacheDir: join(cacheDir, 'node'),
      folder: nodeFolder,
      signal,
    });
    const original = await readFile(program);
    const { adHoc, pages, blobs } = verifySignature(original);
    assert.equal(adHoc, false);
    assert.ok(pages > 10_000);
    assert.equal(blobs, 3, 'requirements and entitlements, these in two forms');
    flip(original, Math.floor(original.length / 2));
    assert.throws(() => verifySignature(original), /Page \d+ differs/);
  }
});

test('executables for macOS have a signature without a certificate, and a changed byte is noticed', async () => {
  for (const target of macs) {
    const executable = await executableOf(target);
    const { identifier, adHoc, pages } = verifySignature(executable);
    assert.deepEqual({ identifier, adHoc }, { identifier: 'terraform-provider-ebb', adHoc: true });
    assert.ok(pages > 10_000);
    flip(executable, executable.indexOf('This is a Terraform provider'));
    assert.throws(() => verifySignature(executable), /Page \d+ differs/);
  }
});

test('two builds give the same bytes', async () => {
  const again = join(folder, 'second');
  await buildRelease({ outDir: again, cacheDir, signal });
  const sums = (dir: string) => readFile(join(dir, releaseNames.sums), 'utf8');
  assert.equal(await sums(again), await sums(outDir));
});

function flip(bytes: Buffer, at: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ 1;
}
