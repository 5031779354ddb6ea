import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openHostKey } from './host-key.ts';

let root: string;

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'ebb-host-key-'));
});
after(() => rm(root, { recursive: true }));

test('a key that is made can be used, however often one is made', async () => {
  // Of keys that are taken as the library makes them, some of so many would be malformed.
  for (let count = 0; count < 800; count++) {
    const folder = await mkdtemp(join(root, 'many-'));
    const { publicKey } = await openHostKey(folder);
    assert.equal(Buffer.from(publicKey.split(' ')[1] ?? '', 'base64').length, 51);
  }
});

test('the key that is there stays; what is no key is refused and not replaced', async () => {
  const folder = await mkdtemp(join(root, 'same-'));
  assert.deepEqual(await openHostKey(folder), await openHostKey(folder));
  await writeFile(join(folder, 'host_key'), 'hush');
  await assert.rejects(openHostKey(folder), /host_key is no ed25519 private key. Restore it/);
});
