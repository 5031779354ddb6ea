import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import { test } from 'node:test';
import { loadOrCreateApiKeys } from '../../api/signing/key-files.ts';
import { codesOf, fileOf, folderFor } from './doctor-for-tests.ts';
import { keysFolderFindings, secretFindings } from './file-findings.ts';

test('a file of a secret that others may read is found by its name and mode, and stays as it is', async (t) => {
  const folder = await folderFor(t);
  const open = await fileOf(folder, 'redis-url', 'redis://:a-password@127.0.0.1', 0o644);
  const closed = await fileOf(folder, 'token-key', '{}');
  const environment = { EBB_REDIS_URL_FILE: open, EBB_TOKEN_KEY_FILE: closed };
  for (let time = 1; time <= 2; time++) {
    const found = await secretFindings(environment, ['EBB_REDIS_URL', 'EBB_TOKEN_KEY']);
    assert.deepEqual(codesOf(found), ['secret_file_open_to_others']);
    assert.equal(found[0]?.severity, 'high');
    assert.ok(found[0]?.what.includes(`${open} (EBB_REDIS_URL_FILE) has the mode 0644`));
    assert.ok(!JSON.stringify(found).includes('a-password'));
  }
});

test('a key file that is named itself counts too', async (t) => {
  const path = await fileOf(await folderFor(t), 'key-encryption-key.json', '{}', 0o640);
  const found = await secretFindings({}, [], [{ variable: 'EBB_KEY_ENCRYPTION_KEY_FILE', path }]);
  assert.deepEqual(codesOf(found), ['secret_file_open_to_others']);
});

test('secrets in the environment itself are named without their values', async () => {
  const found = await secretFindings({ EBB_TOKEN_KEY: 'a-secret' }, ['EBB_TOKEN_KEY', 'EBB_REDIS_URL']);
  assert.deepEqual(codesOf(found), ['secrets_in_environment']);
  assert.match(found[0]?.what ?? '', /^EBB_TOKEN_KEY stands/);
  assert.ok(!JSON.stringify(found).includes('a-secret'));
});

test("a folder with the API's keys as Ebb makes it, in memory, is fine", async (t) => {
  const folder = `${await folderFor(t)}/keys`;
  await loadOrCreateApiKeys(folder);
  assert.deepEqual(await keysFolderFindings(folder), []);
  assert.deepEqual(await keysFolderFindings(`${folder}/not-made-yet`), []);
});

test('a folder of keys that others may enter, and a key in it that they may read, are found', async (t) => {
  const folder = await folderFor(t);
  await fileOf(folder, 'token-key.json', '{}', 0o604);
  await fileOf(folder, 'key-encryption-key.json.pub', '{}', 0o644);
  await chmod(folder, 0o755);
  const found = await keysFolderFindings(folder);
  assert.deepEqual(codesOf(found), ['keys_folder_open_to_others', 'secret_file_open_to_others']);
  assert.equal(found[0]?.severity, 'medium');
  await chmod(folder, 0o777);
  assert.equal((await keysFolderFindings(folder))[0]?.severity, 'high');
});

test("the first admin's key that still lies there is found", async (t) => {
  const folder = await folderFor(t);
  await fileOf(folder, 'first-admin.key', 'ebb_a-secret');
  const found = await keysFolderFindings(folder);
  assert.deepEqual(codesOf(found), ['first_admin_key_left']);
  assert.ok(!JSON.stringify(found).includes('ebb_a-secret'));
});

test('keys on a disk are told, for it needs a backup', async (t) => {
  assert.deepEqual(codesOf(await keysFolderFindings(await folderFor(t, '/var/tmp'))), ['keys_on_disk']);
});
