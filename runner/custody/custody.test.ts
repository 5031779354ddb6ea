import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes, randomUUID, verify } from 'node:crypto';
import { chmod, link, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { inspect } from 'node:util';
import { CompactEncrypt, importJWK, type JWK } from 'jose';
import { createCustody } from '../../api/custody/custody.ts';
import type { KeyWrapper } from '../../contract/custody/key-wrapper.ts';
import { seal } from '../../contract/custody/seal.ts';
import { thumbprint } from '../../contract/custody/thumbprint.ts';
import { createDeployKeySigner } from './deploy-key-signer.ts';
import { makeKeyEncryptionKeyForTests } from './key-encryption-key-for-tests.ts';
import { loadOrCreateKeyFile, readKeyFile, rotateKeyFile } from './key-file.ts';
import { createKeyring, type Keyring } from './keyring.ts';
import { CustodyError, openVault } from './open.ts';
import { OpenedSecret } from './opened-secret.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-custody-'));
});
after(() => rm(folder, { recursive: true }));

const { key, keyring, publicKey } = makeKeyEncryptionKeyForTests();

/** A project as the API makes it, with a sealed value. */
async function project(projectId: string, wrapper: KeyWrapper = key) {
  const custody = createCustody({ keyWrapper: wrapper, hookMasterKey: randomBytes(32) });
  const { publicKey, wrappedPrivateKey } = await custody.createProjectKey(projectId);
  const seal = (text: string, purpose: 'deploy-key' | `secret:${string}`) =>
    custody.seal(Buffer.from(text), { publicKey, projectId, purpose });
  return { projectId, wrappedPrivateKey, seal };
}
const vaultOf = (about: { projectId: string; wrappedPrivateKey: string }, keys: Keyring = keyring) =>
  openVault({ keyring: keys, ...about });
const textOf = (opened: OpenedSecret) => opened.use((bytes) => bytes.toString());
/** What is expected of a refusal: which check failed, in a sentence that shows nothing. */
const refusal = (code: string, sentence: RegExp) => (error: Error) => {
  assert.ok(error instanceof CustodyError);
  assert.equal(error.code, code);
  assert.match(error.message, sentence);
  assert.ok(!error.message.includes('hush'));
  return true;
};
/** The text with one character changed, three before its end: the last ones may hold bits that do not count. */
const changed = (text: string) => `${text.slice(0, -3)}${text.at(-3) === 'A' ? 'B' : 'A'}${text.slice(-2)}`;

describe('what the API seals', () => {
  test('opens in the runner, byte for byte', async () => {
    const shop = await project('prj_shop');
    const vault = await vaultOf(shop);
    const opened = await vault.open(await shop.seal('hush ☂', 'secret:TOKEN'), 'secret:TOKEN');
    assert.equal(textOf(opened), 'hush ☂');
  });

  test('opens for no other purpose and no other name of a secret', async () => {
    const shop = await project('prj_shop');
    const vault = await vaultOf(shop);
    const sealed = await shop.seal('hush', 'secret:TOKEN');
    for (const purpose of ['deploy-key', 'secret:OTHER'] as const)
      await assert.rejects(
        vault.open(sealed, purpose),
        refusal('wrong_context', /sealed for another project or purpose/),
      );
  });

  test('opens for no other project, not even with its key handed over', async () => {
    const [shop, bank] = [await project('prj_shop'), await project('prj_bank')];
    const vault = await vaultOf(shop);
    const another = refusal('wrong_context', /another project or purpose/);
    await assert.rejects(vault.open(await bank.seal('hush', 'deploy-key'), 'deploy-key'), another);
    await assert.rejects(vaultOf({ ...bank, projectId: 'prj_shop' }), another);
  });

  test('does not open with the key pair that came before or after', async () => {
    const [before, after] = [await project('prj_shop'), await project('prj_shop')];
    const vault = await vaultOf(after);
    await assert.rejects(
      vault.open(await before.seal('hush', 'deploy-key'), 'deploy-key'),
      refusal('wrong_key', /sealed to another key than this one: it was rotated/),
    );
  });

  test('does not open when it is cut or changed', async () => {
    const shop = await project('prj_shop');
    const vault = await vaultOf(shop);
    const sealed = await shop.seal('hush', 'deploy-key');
    const parts = sealed.split('.');
    const withPart = (index: number, text: string) =>
      parts.map((part, at) => (at === index ? text : part)).join('.');
    for (const cut of ['', 'a.b.c', sealed.slice(0, sealed.lastIndexOf('.')), `${sealed.split('.')[0]}....`])
      await assert.rejects(vault.open(cut, 'deploy-key'), refusal('damaged', /is cut off or no envelope/));
    for (const [index, part] of parts.entries())
      await assert.rejects(vault.open(withPart(index, changed(part)), 'deploy-key'), CustodyError);
    await assert.rejects(
      vault.open(withPart(3, changed(parts[3] ?? '')), 'deploy-key'),
      refusal('damaged', /it was changed, or sealed to another key/),
    );
    await assert.rejects(
      vault.open(sealed.slice(0, -4), 'deploy-key'),
      refusal('damaged', /it was changed, or sealed to another key/),
    );
  });

  test('is opened by no other algorithm than ours, whatever the envelope says', async () => {
    const shop = await project('prj_shop');
    const vault = await vaultOf(shop);
    const secret = randomBytes(32);
    for (const alg of ['dir', 'A256KW']) {
      const forged = await new CompactEncrypt(Buffer.from('hush'))
        .setProtectedHeader({ alg, enc: 'A256GCM', kid: 'prj_shop', purpose: 'deploy-key' })
        .encrypt(secret);
      const whole = forged.replace('..', '.eA.');
      await assert.rejects(vault.open(whole, 'deploy-key'), CustodyError);
    }
  });
});

describe('a key that is wrapped', () => {
  test('names the driver and the key that wrapped it', async () => {
    const { wrappedPrivateKey } = await project('prj_shop');
    const [id, payload = ''] = wrappedPrivateKey.split(' ');
    assert.equal(id, key.id);
    assert.match(key.id, /^file:[A-Za-z0-9_-]{43}$/);
    assert.equal(payload.split('.').length, 5);
  });

  test('is unwrapped by an older key of the runner too, and by none that it does not have', async () => {
    const next = makeKeyEncryptionKeyForTests();
    const shop = await project('prj_shop');
    const vault = await vaultOf(shop, createKeyring(next.key, [key]));
    assert.equal(textOf(await vault.open(await shop.seal('hush', 'deploy-key'), 'deploy-key')), 'hush');
    await assert.rejects(
      vaultOf(shop, next.keyring),
      refusal(
        'wrong_key',
        /was wrapped by file:\S+, which this runner does not have. Name it in EBB_OLDER_KEYS/,
      ),
    );
  });

  test('that says another key of the runner wrapped it is not unwrapped', async () => {
    const next = makeKeyEncryptionKeyForTests();
    const shop = await project('prj_shop');
    const [, payload] = shop.wrappedPrivateKey.split(' ');
    const relabelled = { ...shop, wrappedPrivateKey: `${next.key.id} ${payload}` };
    await assert.rejects(
      vaultOf(relabelled, createKeyring(key, [next.key])),
      refusal('wrong_key', /sealed to another key than this one/),
    );
  });

  test('of before keys had names is unwrapped by whichever file wrapped it', async () => {
    const next = makeKeyEncryptionKeyForTests();
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const wrapped = await new CompactEncrypt(
      Buffer.from(JSON.stringify(pair.privateKey.export({ format: 'jwk' }))),
    )
      .setProtectedHeader({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM', kid: 'prj_old', purpose: 'project-key' })
      .encrypt(await importJWK(publicKey as JWK, 'ECDH-ES+A256KW'));
    const old = { projectId: 'prj_old', wrappedPrivateKey: wrapped };
    const vault = await vaultOf(old, createKeyring(next.key, [key]));
    const to = { publicKey: pair.publicKey.export({ format: 'jwk' }), projectId: 'prj_old' };
    const sealed = await seal(Buffer.from('hush'), { ...to, purpose: 'deploy-key' });
    assert.equal(textOf(await vault.open(sealed, 'deploy-key')), 'hush');
    await assert.rejects(vaultOf(old, next.keyring), CustodyError);
  });

  test('that is cut off, doubled or holds something else is refused', async () => {
    const shop = await project('prj_shop');
    for (const broken of [
      '',
      `${key.id} `,
      `${shop.wrappedPrivateKey} x`,
      shop.wrappedPrivateKey.slice(0, 300),
    ])
      await assert.rejects(
        vaultOf({ ...shop, wrappedPrivateKey: broken }),
        refusal('damaged', /is cut off or no envelope|was changed/),
      );
    const nonsense = await key.wrap(Buffer.from('{"kty":"hush"}'), 'prj_shop');
    await assert.rejects(
      vaultOf({ ...shop, wrappedPrivateKey: nonsense }),
      refusal('damaged', /no private key of the curve P-256/),
    );
  });
});

describe('the file of the key-encryption key', () => {
  test('is made for its owner alone, with the public half beside it, and stays', async () => {
    const path = join(folder, 'mine', 'kek.json');
    const made = await loadOrCreateKeyFile(path);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(JSON.parse(await readFile(`${path}.pub`, 'utf8')), made.publicKey);
    assert.equal(made.publicKey.d, undefined);
    assert.deepEqual(await loadOrCreateKeyFile(path), made);
  });

  test('is the same for runners that start at once', async () => {
    const path = join(folder, 'race', 'kek.json');
    const keys = await Promise.all([1, 2, 3, 4].map(() => loadOrCreateKeyFile(path)));
    assert.equal(new Set(keys.map(({ privateKey }) => privateKey.d)).size, 1);
  });

  test('is closed to others when it was open', async () => {
    const path = join(folder, 'open.json');
    await loadOrCreateKeyFile(path);
    await chmod(path, 0o644);
    await loadOrCreateKeyFile(path);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  const privateHalf = async (file: string) => (await readKeyFile(file)).privateKey.d;

  test('is rotated to a new one with the old beside it, and once more to a third', async () => {
    const path = join(folder, 'rotated', 'kek.json');
    const first = await loadOrCreateKeyFile(path);
    const { older } = await rotateKeyFile(path);
    assert.deepEqual(await Promise.all(older.map(privateHalf)), [first.privateKey.d]);
    assert.equal((await stat(older[0] ?? '')).mode & 0o777, 0o600);
    const second = await readKeyFile(path);
    assert.notEqual(second.privateKey.d, first.privateKey.d);
    assert.deepEqual(JSON.parse(await readFile(`${path}.pub`, 'utf8')), second.publicKey);
    const { older: both } = await rotateKeyFile(path);
    assert.deepEqual(
      new Set(await Promise.all(both.map(privateHalf))),
      new Set([first.privateKey.d, second.privateKey.d]),
    );
  });

  test('that a rotation was cut off for is still the current one, and the same call goes on', async () => {
    const path = join(folder, 'cut', 'kek.json');
    const { privateKey, publicKey } = await loadOrCreateKeyFile(path);
    await link(path, path.replace('.json', `-${thumbprint(publicKey).slice(0, 8)}.json`));
    assert.deepEqual((await loadOrCreateKeyFile(path)).privateKey, privateKey);
    const { older } = await rotateKeyFile(path);
    assert.deepEqual(await Promise.all(older.map(privateHalf)), [privateKey.d]);
  });

  test('that a rotation was cut off for before anybody was told: the key that still wraps is named all the same', async () => {
    const path = join(folder, 'untold', 'kek.json');
    const wrapping = await loadOrCreateKeyFile(path);
    await rotateKeyFile(path);
    await writeFile(`${path}.pub`, JSON.stringify(wrapping.publicKey));
    const { older } = await rotateKeyFile(path);
    assert.ok((await Promise.all(older.map(privateHalf))).includes(wrapping.privateKey.d));
    const current = await readKeyFile(path);
    assert.deepEqual(JSON.parse(await readFile(`${path}.pub`, 'utf8')), current.publicKey);
  });

  test('leaves no private key beside it that nobody knows of', async () => {
    const path = join(folder, 'drafts', 'kek.json');
    await loadOrCreateKeyFile(path);
    await writeFile(`${path}.${randomUUID()}`, 'a key that was never used');
    const { older } = await rotateKeyFile(path);
    const names = ['kek.json', 'kek.json.pub', ...older.map((file) => basename(file))];
    assert.deepEqual((await readdir(join(folder, 'drafts'))).toSorted(), names.toSorted());
  });

  test('that holds something else is refused and left as it is, and nothing of it is shown', async () => {
    const path = join(folder, 'wrong.json');
    for (const text of ['hush-nonsense', '{"kty":"RSA"}', JSON.stringify(publicKey)]) {
      await writeFile(path, text);
      await assert.rejects(loadOrCreateKeyFile(path), (error: Error) => {
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
