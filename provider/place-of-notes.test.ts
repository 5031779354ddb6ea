import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { placeOfNotes } from './place-of-notes.ts';

test('notes are those of one endpoint, workspace and backend', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-data-dir-'));
  t.after(() => rm(folder, { recursive: true }));
  const scope = (endpoint = 'https://ebb.example.com', more = {}) =>
    placeOfNotes({ TF_DATA_DIR: folder, ...more }, endpoint)[1];
  const scopes = [scope(), scope('https://other.example.com'), scope(undefined, { TF_WORKSPACE: 'next' })];
  await writeFile(join(folder, 'environment'), 'staging\n');
  scopes.push(scope());
  for (const key of ['one.tfstate', 'two.tfstate']) {
    const backend = { type: 's3', config: { key } };
    await writeFile(join(folder, 'terraform.tfstate'), JSON.stringify({ version: 3, serial: 1, backend }));
    scopes.push(scope());
  }
  assert.equal(new Set(scopes).size, scopes.length);
  assert.equal(scope(), scope());
  assert.deepEqual(placeOfNotes({}, 'https://ebb.example.com')[0], join('.terraform', 'ebb-creations'));
});
