import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { generateBindings } from './generate-bindings.ts';

const folder = new URL('./bindings/', import.meta.url);

test('the bindings are what the schema of the provider gives', async () => {
  const generated = await generateBindings(process.env.PATH ?? '');
  const hint = 'run: node stacks/generate-bindings.ts';
  assert.deepEqual((await readdir(folder)).sort(), [...generated.keys()].sort(), hint);
  for (const [name, source] of generated) {
    assert.ok((await readFile(new URL(name, folder), 'utf8')) === source, `${name} is not current; ${hint}`);
  }
});
