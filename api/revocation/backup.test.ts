import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { compactDecrypt } from 'jose';
import { dump, startPostgres } from '../../test/postgres.ts';
import { created, declareBuildableProject, signIn } from '../test-client.ts';
import { openTestContext, type TestContext } from '../test-context.ts';
import { revokeProject } from './revoke-for-tests.ts';

/** Every compact JWE in a text, by what its protected header says it is for. */
function sealedIn(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [jwe] of text.matchAll(/eyJ[\w-]+\.[\w-]*\.[\w-]+\.[\w-]+\.[\w-]+/g)) {
    const header = JSON.parse(Buffer.from(jwe.split('.')[0] ?? '', 'base64url').toString());
    found.set(header.purpose, jwe);
  }
  return found;
}

async function open(wrapped: string, sealed: string, keyEncryptionKey: KeyObject): Promise<string> {
  const { plaintext } = await compactDecrypt(wrapped, keyEncryptionKey);
  const projectKey = createPrivateKey({ key: Buffer.from(plaintext), format: 'der', type: 'pkcs8' });
  return Buffer.from((await compactDecrypt(sealed, projectKey)).plaintext).toString();
}

describe('a backup of the database from before a revocation', () => {
  let postgres: Awaited<ReturnType<typeof startPostgres>>;
  let given: TestContext;
  let backup: string;
  let afterwards: string;
  before(async () => {
    postgres = await startPostgres();
    given = await openTestContext({ url: postgres.url });
    const admin = await signIn(given, given.keys.admin);
    const { id } = await declareBuildableProject(given, admin);
    await created(admin, '/v1/secrets', { project_id: id, name: 'TOKEN', value: 'the secret value' });
    backup = (await dump(postgres.url)).toString();
    await revokeProject(given.context, id, AbortSignal.timeout(60_000));
    afterwards = (await dump(postgres.url)).toString();
  });
  after(async () => {
    await given.close();
    await postgres.close();
  });

  test('holds the sealed values, of which the database has none any more', () => {
    assert.deepEqual([...sealedIn(backup).keys()].sort(), ['deploy-key', 'project-key', 'secret:TOKEN']);
    assert.deepEqual([...sealedIn(afterwards).keys()], []);
    assert.ok(!backup.includes('the secret value'));
  });

  test('opens nothing with all that API and database hold, nor with the runner’s key where the wrapped key is left out', async () => {
    const found = sealedIn(backup);
    for (const purpose of ['deploy-key', 'secret:TOKEN']) {
      const sealed = found.get(purpose) ?? '';
      await assert.rejects(compactDecrypt(sealed, given.keyEncryptionKey), purpose);
      const apis = given.context.custody.connectionKey(purpose);
      await assert.rejects(compactDecrypt(sealed, apis), purpose);
    }
  });

  test('with the wrapped key in it and the runner’s key beside it does open, until that key is another one', async () => {
    const found = sealedIn(backup);
    const wrapped = found.get('project-key') ?? '';
    const sealed = found.get('secret:TOKEN') ?? '';
    assert.equal(await open(wrapped, sealed, given.keyEncryptionKey), 'the secret value');
    const next = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    await assert.rejects(open(wrapped, sealed, next));
  });
});
