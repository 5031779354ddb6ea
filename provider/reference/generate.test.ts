import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { generatedFolders, generateReference } from './generate.ts';

const folder = new URL('../../docs/provider/', import.meta.url);
const hint = 'run: node provider/reference/generate.ts';

test('the documentation of the provider is what contract and examples say', async () => {
  const generated = await generateReference();
  const there = await Promise.all(
    generatedFolders.map(async (name) =>
      (await readdir(new URL(`${name}/`, folder))).map((file) => `${name}/${file}`),
    ),
  );
  assert.deepEqual(['index.md', ...there.flat()].sort(), [...generated.keys()].sort(), hint);
  for (const [name, text] of generated) {
    assert.ok((await readFile(new URL(name, folder), 'utf8')) === text, `${name} is not current; ${hint}`);
  }
});

test('everything that people declare or read has an example', async () => {
  for (const [name, text] of await generateReference()) {
    if (!/^(resources|ephemeral-resources|functions)\//.test(name)) continue;
    assert.match(text, /^## Example$/m, name);
  }
});
