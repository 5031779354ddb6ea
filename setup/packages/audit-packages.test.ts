import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { auditPackages } from './audit-packages.ts';

/** A project of one package, and a registry that answers as told. */
async function setting(t: TestContext, answer: RequestListener) {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-audit-'));
  t.after(() => rm(folder, { recursive: true }));
  const root = { name: 'shop', version: '1.0.0', dependencies: { some: '1.0.0' } };
  const some = { version: '1.0.0', integrity: 'sha512-AAAA' };
  const lock = { ...root, lockfileVersion: 3, packages: { '': root, 'node_modules/some': some } };
  await writeFile(join(folder, 'package.json'), JSON.stringify(root));
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify(lock));
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { folder, settings: settingsOf(folder, (server.address() as AddressInfo).port) };
}

/** npm keeps what it was told of a package, so each has a cache of its own. */
const settingsOf = (folder: string, port: number) => [
  `--registry=http://127.0.0.1:${port}/`,
  `--cache=${join(folder, 'cache')}`,
];

const advisory = (severity: string) => ({
  ...{ id: 1, url: 'https://example.com/1', title: 'a weakness', severity },
  ...{ vulnerable_versions: '<2.0.0', cwe: [], cvss: { score: 0, vectorString: null } },
});

const published = {
  name: 'some',
  'dist-tags': { latest: '2.0.0' },
  versions: Object.fromEntries(['1.0.0', '2.0.0'].map((version) => [version, { name: 'some', version }])),
};

const advise =
  (advisories: object): RequestListener =>
  (request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(request.method === 'POST' ? advisories : published));
  };

test('a known weakness of level high is found and named', async (t) => {
  const { folder, settings } = await setting(t, advise({ some: [advisory('high')] }));
  const { state, lines } = await auditPackages(folder, { settings });
  assert.equal(state, 'found');
  assert.match(lines.join(), /^some 1\.0\.0 has a known weakness \(high\)/);
});

test('packages without a weakness, or with a moderate one, pass', async (t) => {
  for (const advisories of [{}, { some: [advisory('moderate')] }]) {
    const { folder, settings } = await setting(t, advise(advisories));
    assert.deepEqual(await auditPackages(folder, { settings }), { state: 'clean', lines: [] });
  }
});

test('a registry that cannot tell is not taken for one that knows of nothing', async (t) => {
  const refusing = await setting(t, (_request, response) => void response.writeHead(405).end());
  const refused = await auditPackages(refusing.folder, { settings: refusing.settings });
  assert.equal(refused.state, 'not_checked');
  assert.match(refused.lines.join(), /405/);

  const silent = await setting(t, () => {});
  const waited = await auditPackages(silent.folder, { settings: silent.settings, timeoutMs: 4_000 });
  assert.deepEqual(waited.lines, ['known weaknesses of packages: no answer in 4 s']);

  const nobody = await auditPackages(silent.folder, { settings: settingsOf(silent.folder, 1) });
  assert.equal(nobody.state, 'not_checked');
});
