import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, type TestContext, test } from 'node:test';
import { unzip } from '../acceptance/unzip.ts';
import { providerVersion } from '../version.ts';
import { releaseTargets } from './node-builds.ts';
import { writeBill } from './release-bill.ts';
import { clearRelease, completeRelease, packExecutable, releaseNames } from './release-files.ts';

let folder: string;
beforeEach(async (t) => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-release-'));
  (t as TestContext).after(() => rm(folder, { recursive: true }));
});

/** A release in which each executable is the name of its platform. */
async function release(outDir: string): Promise<void> {
  const nodeLicense = join(folder, 'license');
  await writeFile(nodeLicense, 'license of Node.js');
  const files: string[] = [];
  for (const target of releaseTargets) {
    const { system, processor } = target;
    const executable = join(folder, 'executable');
    await writeFile(executable, `${system} ${processor}`);
    files.push(await packExecutable(outDir, { system, processor, executable, nodeLicense }));
    files.push(await writeBill(outDir, target));
  }
  await completeRelease(outDir, files);
}

test('a release has the files that the Terraform Registry asks for', async () => {
  const outDir = join(folder, 'out');
  await release(outDir);
  const named = (end: string) => `terraform-provider-ebb_${providerVersion}_${end}`;
  const platforms = ['darwin_amd64', 'darwin_arm64', 'linux_amd64', 'linux_arm64', 'windows_amd64'];
  const perPlatform = platforms.flatMap((name) => [`${name}.zip`, `${name}.cdx.json`]);
  const expected = [...perPlatform, 'manifest.json', 'SHA256SUMS'].map(named);
  assert.deepEqual((await readdir(outDir)).sort(), expected.sort());
  assert.deepEqual(JSON.parse(await readFile(join(outDir, named('manifest.json')), 'utf8')), {
    version: 1,
    metadata: { protocol_versions: ['6.0'] },
  });
});

test('sha256sum finds every other file among the checksums', async () => {
  const outDir = join(folder, 'out');
  await release(outDir);
  const checked = execFileSync('sha256sum', ['--check', '--strict', releaseNames.sums], { cwd: outDir });
  const right = checked.toString().trim().split('\n').sort();
  const others = (await readdir(outDir)).filter((name) => name !== releaseNames.sums);
  assert.deepEqual(right, others.map((name) => `${name}: OK`).sort());
});

test('an archive has the executable, which may be executed, and the licenses of all in it', async () => {
  await release(folder);
  for (const { system, processor } of releaseTargets) {
    const archive = await readFile(join(folder, releaseNames.zip({ system, processor })));
    const executable = `terraform-provider-ebb_v${providerVersion}${system === 'win32' ? '.exe' : ''}`;
    const contents = unzip(archive);
    assert.deepEqual([...contents.keys()], ['LICENSE', 'LICENSE.msgpack', 'LICENSE.nodejs', executable]);
    assert.equal(contents.get(executable)?.toString(), `${system} ${processor}`);
    assert.match(String(contents.get('LICENSE')), /Apache License/);
    assert.equal(permissionsOf(archive, executable), 0o755);
    assert.equal(permissionsOf(archive, 'LICENSE.nodejs'), 0o644);
  }
});

test('the bill of materials of an archive names its digest, its Node.js and the package that is bundled', async () => {
  await release(folder);
  for (const target of releaseTargets) {
    const archive = await readFile(join(folder, releaseNames.zip(target)));
    const bill = JSON.parse(await readFile(join(folder, releaseNames.bill(target)), 'utf8'));
    const { hashes, version } = bill.metadata.component;
    const content = createHash('sha256').update(archive).digest('hex');
    assert.deepEqual([version, hashes], [providerVersion, [{ alg: 'SHA-256', content }]]);
    const [node, msgpack, ...others] = bill.components;
    assert.equal(node.cpe, `cpe:2.3:a:nodejs:node.js:${target.node.version}:*:*:*:*:*:*:*`);
    const hash = Buffer.from(node.hashes[0].content, 'hex').toString('base64');
    assert.equal(`sha512-${hash}`, target.node.integrity);
    assert.match(msgpack.purl, /^pkg:npm\/%40msgpack\/msgpack@\d/);
    assert.deepEqual(others, []);
  }
});

test('two builds give the same bytes, in whatever time zone', async (t) => {
  const zone = process.env.TZ;
  t.after(() => {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  });
  process.env.TZ = 'Pacific/Auckland';
  await release(join(folder, 'one'));
  process.env.TZ = 'America/Los_Angeles';
  await release(join(folder, 'two'));
  const sums = (name: string) => readFile(join(folder, name, releaseNames.sums), 'utf8');
  assert.equal(await sums('one'), await sums('two'));
});

test('of an earlier release nothing stays, of others everything', async () => {
  const old = 'terraform-provider-ebb_0.0.1_linux_amd64.zip';
  for (const name of [old, releaseNames.sums, 'notes.md']) await writeFile(join(folder, name), 'old');
  await clearRelease(folder);
  await clearRelease(join(folder, 'never-there'));
  assert.deepEqual(await readdir(folder), ['notes.md']);
});

/** From the last mention of a name, which is the one in the archive's directory: 46 bytes of fields stand before it. */
function permissionsOf(archive: Buffer, name: string): number {
  return (archive.readUInt32LE(archive.lastIndexOf(name) - 46 + 38) >>> 16) & 0o777;
}
