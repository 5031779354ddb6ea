import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseApiKeys } from './api-keys.ts';
import { loadOrCreateApiKeys, loadOrCreateApiKeyTexts } from './key-files.ts';

test('keys are made once, for nobody else to read, and are the same as text', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-keys-'));
  t.after(() => rm(folder, { recursive: true }));
  const [first, second] = await Promise.all([
    loadOrCreateApiKeyTexts(folder),
    loadOrCreateApiKeyTexts(folder),
  ]);
  assert.deepEqual(first, second);
  assert.deepEqual(parseApiKeys(first), await loadOrCreateApiKeys(folder));
  assert.equal((await stat(join(folder, 'token-key.json'))).mode & 0o777, 0o600);
});

test('a file that holds no key is named, and what it holds is not shown', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-keys-'));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'receipt-key.json'), '{"d":"hush"}');
  await assert.rejects(loadOrCreateApiKeys(folder), (error: Error) => {
    assert.match(error.message, /receipt-key.json holds no key/);
    assert.doesNotMatch(error.message, /hush/);
    return true;
  });
});
