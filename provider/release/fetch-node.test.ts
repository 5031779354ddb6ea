import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fetchNode } from './fetch-node.ts';

const signal = AbortSignal.timeout(60_000);

/** A registry with one package of a program, its integrity, and the count of downloads. */
async function createSetting(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-fetch-'));
  t.after(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, 'package', 'bin'), { recursive: true });
  await writeFile(join(folder, 'package', 'bin', 'node'), 'a program');
  await writeFile(join(folder, 'package', 'LICENSE'), 'a license');
  await writeFile(join(folder, 'package', 'package.json'), '{"name":"node-test","version":"1.2.3"}');
  const tarball = execFileSync('tar', ['-czf', '-', '-C', folder, 'package']);
  const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
  const downloads = await serve(t, tarball);
  const variables = { npm_config_registry: downloads.url, npm_config_cache: join(folder, 'npm') };
  const before = { ...process.env };
  Object.assign(process.env, variables);
  t.after(() => {
    for (const name of Object.keys(variables)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  });
  const cacheDir = join(folder, 'cache');
  const build = { package: 'node-test', version: '1.2.3', integrity, program: 'bin/node' };
  return { build, downloads, cacheDir, kept: join(cacheDir, 'node-test-1.2.3.tgz'), folder };
}

async function serve(t: TestContext, tarball: Buffer): Promise<{ url: string; count: number }> {
  const state = { url: '', count: 0 };
  const server = createServer((request, response) => {
    if (!request.url?.endsWith('.tgz')) {
      const dist = { tarball: `${state.url}node-test.tgz` };
      const versions = { '1.2.3': { name: 'node-test', version: '1.2.3', dist } };
      return response.end(JSON.stringify({ name: 'node-test', versions }));
    }
    state.count += 1;
    response.end(tarball);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return state;
}

test('a build of Node.js is fetched once and kept', async (t) => {
  const { build, downloads, cacheDir, folder } = await createSetting(t);
  const first = await fetchNode(build, { cacheDir, folder, signal });
  const second = await fetchNode(build, { cacheDir, folder, signal });
  assert.equal(await readFile(first.program, 'utf8'), 'a program');
  assert.equal(await readFile(second.license, 'utf8'), 'a license');
  assert.equal(downloads.count, 1);
  assert.deepEqual(await readdir(cacheDir), ['node-test-1.2.3.tgz']);
});

test('a damaged file in the cache is fetched again', async (t) => {
  const { build, downloads, cacheDir, kept, folder } = await createSetting(t);
  await mkdir(cacheDir);
  await writeFile(kept, 'half of a pack');
  const { program } = await fetchNode(build, { cacheDir, folder, signal });
  assert.equal(await readFile(program, 'utf8'), 'a program');
  assert.equal(downloads.count, 1);
});

test('a package with other bytes than the source names is refused and not kept', async (t) => {
  const { build, cacheDir, folder } = await createSetting(t);
  const other = { ...build, integrity: `sha512-${createHash('sha512').digest('base64')}` };
  await assert.rejects(fetchNode(other, { cacheDir, folder, signal }), /not the one that the source names/);
  assert.deepEqual(await readdir(cacheDir), []);
});
