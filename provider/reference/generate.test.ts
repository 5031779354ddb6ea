import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { generateReference } from './generate.ts';

const folder = new URL('../../docs/reference/', import.meta.url);

test('the reference is what the contract says', async () => {
  const generated = await generateReference();
  const hint = 'run: node provider/reference/generate.ts';
  assert.deepEqual((await readdir(folder)).sort(), [...generated.keys()].sort(), hint);
  for (const [name, text] of generated) {
    assert.ok((await readFile(new URL(name, folder), 'utf8')) === text, `${name} is not current; ${hint}`);
  }
});
