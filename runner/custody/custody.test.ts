import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes, verify } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { inspect } from 'node:util';
import { createCustody } from '../../api/custody/custody.ts';
import { createDeployKeySigner } from './deploy-key-signer.ts';
import { type KeyEncryptionKey, loadOrCreateKeyEncryptionKey } from './key-encryption-key.ts';
import { CustodyError, openVault } from './open.ts';
import { OpenedSecret } from './opened-secret.ts';

let folder: string;
let key: KeyEncryptionKey;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-custody-'));
  key = await loadOrCreateKeyEncryptionKey(join(folder, 'keys', 'kek.json'));
});
after(() => rm(folder, { recursive: true }));

/** A project as the API makes it, with a sealed value. */
async function project(projectId: string, keyEncryptionKey = key.publicKey) {
  const custody = createCustody({ keyEncryptionKey, hookMasterKey: randomBytes(32) });
  const { publicKey, wrappedPrivateKey } = await custody.createProjectKey(projectId);
  const seal = (text: string, purpose: 'deploy-key' | `secret:${string}`) =>
    custody.seal(Buffer.from(text), { publicKey, projectId, purpose });
  return { projectId, wrappedPrivateKey, seal };
}
const vaultOf = ({ projectId, wrappedPrivateKey }: { projectId: string; wrappedPrivateKey: string }) =>
  openVault({ keyEncryptionKey: key.privateKey, projectId, wrappedPrivateKey });

describe('what the API seals', () => {
  test('opens in the runner, byte for byte', async () => {
    const shop = await project('prj_shop');
    const vault = await vaultOf(shop);
    const opened = await vault.open(await shop.seal('hush ☂', 'secret:TOKEN'), 'secret:TOKEN');
    assert.equal(
      opened.use((bytes) => bytes.toString()),
      'hush ☂',
    );
  });

  test('opens for no other purpose and no other name of a secret', async () => {
    const shop = await project('prj_shop');
    const vault = await vaultOf(shop);
    const sealed = await shop.seal('hush', 'secret:TOKEN');
    for (const purpose of ['deploy-key', 'secret:OTHER'] as const) {
      await assert.rejects(vault.open(sealed, purpose), (error: Error) => {
        assert.ok(error instanceof CustodyError);
        assert.match(error.message, /sealed for another project or purpose/);
        assert.ok(!error.message.includes('hush'));
        return true;
      });
    }
  });

  test('opens for no other project, not even with its key handed over', async () => {
    const [shop, bank] = [await project('prj_shop'), await project('prj_bank')];
    const vault = await vaultOf(shop);
    await assert.rejects(vault.open(await bank.seal('x', 'deploy-key'), 'deploy-key'), CustodyError);
    await assert.rejects(vaultOf({ ...bank, projectId: 'prj_shop' }), /another project or purpose/);
  });

  test('does not open when it is cut, changed or wrapped to another key', async () => {
    const shop = await project('prj_shop');
    const vault = await vaultOf(shop);
    const sealed = await shop.seal('hush', 'deploy-key');
    const parts = sealed.split('.');
    const changed = (index: number) =>
      parts
        .map((part, at) =>
          at === index ? `${part.slice(0, -3)}${part.at(-3) === 'A' ? 'B' : 'A'}${part.slice(-2)}` : part,
        )
        .join('.');
    for (const broken of ['', 'a.b.c', sealed.slice(0, -4), ...parts.map((_, index) => changed(index))]) {
      await assert.rejects(vault.open(broken, 'deploy-key'), CustodyError, broken);
    }
    const other = await loadOrCreateKeyEncryptionKey(join(folder, 'other.json'));
    const stranger = await project('prj_shop', other.publicKey);
    await assert.rejects(vaultOf(stranger), /cannot be opened with this runner's key/);
  });
});

describe('the file of the key-encryption key', () => {
  test('is made for its owner alone, with the public half beside it, and stays', async () => {
    const path = join(folder, 'mine', 'kek.json');
    const made = await loadOrCreateKeyEncryptionKey(path);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(JSON.parse(await readFile(`${path}.pub`, 'utf8')), made.publicKey);
    assert.equal(made.publicKey.d, undefined);
    assert.deepEqual(await loadOrCreateKeyEncryptionKey(path), made);
  });

  test('is the same for runners that start at once', async () => {
    const path = join(folder, 'race', 'kek.json');
    const keys = await Promise.all([1, 2, 3, 4].map(() => loadOrCreateKeyEncryptionKey(path)));
    assert.equal(new Set(keys.map(({ privateKey }) => privateKey.d)).size, 1);
  });

  test('is closed to others when it was open', async () => {
    const path = join(folder, 'open.json');
    await loadOrCreateKeyEncryptionKey(path);
    await chmod(path, 0o644);
    await loadOrCreateKeyEncryptionKey(path);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  test('that holds something else is refused and left as it is, and nothing of it is shown', async () => {
    const path = join(folder, 'wrong.json');
    for (const text of ['hush-nonsense', '{"kty":"RSA"}', JSON.stringify(key.publicKey)]) {
      await writeFile(path, text);
      await assert.rejects(loadOrCreateKeyEncryptionKey(path), (error: Error) => {
        assert.match(error.message, /wrong\.json holds no private EC P-256 JWK.*backup/);
        assert.ok(!error.message.includes('hush'));
        return true;
      });
      assert.equal(await readFile(path, 'utf8'), text);
    }
  });
});

function makeSeed() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { d = '' } = privateKey.export({ format: 'jwk' });
  return { seed: Buffer.from(d, 'base64url'), publicKey };
}

describe('an opened deploy key', () => {
  test('signs what the public key verifies, and wipes the seed when it is closed', () => {
    const { seed, publicKey } = makeSeed();
    const signer = createDeployKeySigner(new OpenedSecret(seed));
    const data = Buffer.from('to be signed');
    assert.ok(verify(null, data, publicKey, signer.sign(data)));
    signer.close();
    assert.ok(seed.every((byte) => byte === 0));
    assert.throws(() => signer.sign(data), /wiped/);
  });

  test('shows nothing of itself when it is logged', () => {
    const { seed } = makeSeed();
    const secrets = [seed.toString('hex'), seed.toString('base64').slice(0, 40), [...seed].join(',')];
    const signer = createDeployKeySigner(new OpenedSecret(seed));
    const shown = [
      inspect(signer, { depth: 9, showHidden: true }),
      JSON.stringify(signer),
      String(signer),
    ].join();
    for (const secret of secrets) assert.ok(!shown.includes(secret));
    signer.close();
  });

  test('of a wrong length is refused', () => {
    const seed = Buffer.alloc(31, 1);
    assert.throws(() => createDeployKeySigner(new OpenedSecret(seed)), /32 bytes, not 31/);
    assert.ok(seed.every((byte) => byte === 0));
  });
});
