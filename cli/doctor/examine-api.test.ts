import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { makeApiKey } from '../../api/auth/api-key.ts';
import { loadOrCreateApiKeys } from '../../api/signing/key-files.ts';
import { codesOf, fileOf, folderFor, redisWith, soundMachine } from './doctor-for-tests.ts';
import { examineApi } from './examine-api.ts';

/** An API on one machine where as little as possible is left open; changes are to variables. */
async function apiOf(t: TestContext, changes: NodeJS.ProcessEnv = {}): Promise<NodeJS.ProcessEnv> {
  const folder = await folderFor(t);
  const port = await redisWith(t, ['requirepass right', 'appendonly yes', 'maxmemory-policy noeviction']);
  const keys = join(folder, 'keys');
  await loadOrCreateApiKeys(keys);
  return {
    EBB_REDIS_URL_FILE: await fileOf(folder, 'redis-url', `redis://:right@127.0.0.1:${port}`),
    EBB_DATA_DIR: join(folder, 'data'),
    EBB_KEYS_DIR: keys,
    EBB_KMS_KEY: 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
    EBB_SMTP_URL_FILE: await fileOf(folder, 'smtp-url', 'smtps://ebb:right@mail.example.com:465'),
    EBB_MAIL_FROM: 'ebb@example.com',
    ...changes,
  };
}

const codes = async (environment: NodeJS.ProcessEnv) =>
  codesOf(await examineApi(environment, { machine: soundMachine }));

test('an API on one machine has nothing left open but its embedded database', async (t) => {
  assert.deepEqual(await codes(await apiOf(t)), ['database_is_embedded']);
});

test('choices that may well be meant are told last', async (t) => {
  const { EBB_KMS_KEY: _, EBB_SMTP_URL_FILE: _url, EBB_MAIL_FROM: _from, ...environment } = await apiOf(t);
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  environment.EBB_KEY_ENCRYPTION_KEY = JSON.stringify(publicKey.export({ format: 'jwk' }));
  const expected = ['database_is_embedded', 'key_encryption_key_in_file', 'no_mail_server'];
  assert.deepEqual(await codes(environment), expected);
});

test("a first admin's key that is still configured is found", async (t) => {
  const path = await fileOf(await folderFor(t), 'first-admin', makeApiKey());
  const environment = await apiOf(t, { EBB_FIRST_ADMIN_KEY_FILE: path });
  assert.deepEqual(await codes(environment), ['first_admin_key_left', 'database_is_embedded']);
});

test('the worst comes first', async (t) => {
  const environment = await apiOf(t, { EBB_PUBLIC_URL: 'http://ebb.example.com' });
  const found = await examineApi(environment, { machine: { ...soundMachine, userId: 0 } });
  const expected = ['public_url_is_http', 'runs_as_root', 'proxy_not_declared', 'database_is_embedded'];
  assert.deepEqual(codesOf(found), expected);
  for (const { what, why, fix } of found) for (const text of [what, why, fix]) assert.ok(text.length > 10);
});

test('what ebb api refuses to start with is found: others could listen in', async (t) => {
  const { EBB_REDIS_URL_FILE: redis, ...environment } = await apiOf(t);
  const refused = {
    EBB_LISTEN: '0.0.0.0:4800',
    EBB_REDIS_URL: 'redis://:right@redis.example.com',
    EBB_DATABASE_URL: 'postgresql://ebb:right@db.example.com/ebb?sslmode=no-verify',
  };
  for (const [name, value] of Object.entries(refused)) {
    const kept = name === 'EBB_REDIS_URL' ? {} : { EBB_REDIS_URL_FILE: redis };
    const found = await examineApi({ ...environment, ...kept, [name]: value }, { machine: soundMachine });
    assert.equal(found[0]?.code, 'configuration_invalid');
    assert.equal(found[0]?.severity, 'high');
    assert.ok(found[0]?.what.startsWith(name), found[0]?.what);
    assert.ok(!JSON.stringify(found).includes('right'));
  }
});
