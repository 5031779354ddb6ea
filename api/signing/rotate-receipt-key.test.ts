import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { provenance, statementOf } from '../../cli/verify/receipts-for-tests.ts';
import { verifyReceipt } from '../../cli/verify/verify-receipt.ts';
import { parseApiKeys, toPublicKeys } from './api-keys.ts';
import { createSigner } from './create-signer.ts';
import { loadOrCreateApiKeys, loadOrCreateApiKeyTexts } from './key-files.ts';
import { rotateReceiptKey } from './rotate-receipt-key.ts';

describe('a new receipt key', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ebb-rotation-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** An API process that starts now. */
  const start = async () => createSigner(await loadOrCreateApiKeys(folder));
  const signAt = (signer: Awaited<ReturnType<typeof start>>, at: Date) => {
    const { runDetails } = provenance;
    const ebb_build = { ...runDetails.metadata.ebb_build, signedOn: at.toISOString() };
    const metadata = { ...runDetails.metadata, ebb_build };
    const signed = { ...provenance, runDetails: { ...runDetails, metadata } };
    return signer.signStatement(statementOf({ provenance: signed }));
  };
  const holds = (envelope: unknown, signer: Awaited<ReturnType<typeof start>>) => {
    const verdict = verifyReceipt({ envelope, jwks: signer.jwks() });
    return verdict.ok ? true : verdict.problem;
  };
  const later = (seconds: number) => new Date(Date.now() + seconds * 1000);

  test('is published by every process before one signs with it, and so is the old one for ever', async () => {
    const before = await start();
    assert.equal(await rotateReceiptKey(folder, new Date()), 'prepared');
    const prepared = await start();
    assert.equal(await rotateReceiptKey(folder, new Date()), 'rotated');
    const rotated = await start();
    const [old, oldToo, fresh] = [before, prepared, rotated].map((signer) => signAt(signer, later(5)));
    assert.equal(old?.signatures[0]?.keyid, oldToo?.signatures[0]?.keyid);
    assert.notEqual(old?.signatures[0]?.keyid, fresh?.signatures[0]?.keyid);
    for (const envelope of [old, oldToo, fresh]) {
      assert.equal(holds(envelope, prepared), true);
      assert.equal(holds(envelope, rotated), true);
    }
    for (let rotations = 0; rotations < 4; rotations++) await rotateReceiptKey(folder, new Date());
    assert.equal(holds(old, await start()), true);
    assert.equal(holds(fresh, await start()), true);
  });

  test('ends the period of the old one an hour later, and begins its own', async () => {
    const before = await start();
    await rotateReceiptKey(folder, new Date());
    await rotateReceiptKey(folder, new Date());
    const rotated = await start();
    assert.equal(holds(signAt(before, later(3000)), rotated), true);
    assert.match(String(holds(signAt(before, later(4000)), rotated)), /^period: .*in use until/);
    assert.match(String(holds(signAt(rotated, later(-600)), rotated)), /^period: .*in use since/);
  });

  test('is the same when the rotation is killed between any two of its steps', async () => {
    const old = await loadOrCreateApiKeys(folder);
    await rotateReceiptKey(folder, new Date());
    const files = ['receipt-key.json', 'next-receipt-key.json'];
    const [current = '', next = ''] = await Promise.all(
      files.map((name) => readFile(join(folder, name), 'utf8')),
    );
    await rotateReceiptKey(folder, new Date());
    // Killed after the old key was retired.
    await writeFile(join(folder, 'receipt-key.json'), current);
    await writeFile(join(folder, 'next-receipt-key.json'), next);
    const kids = (await start()).jwks().keys.map(({ kid }) => kid);
    assert.equal(new Set(kids).size, kids.length, 'no key is published twice');
    assert.equal(await rotateReceiptKey(folder, new Date()), 'rotated');
    // Killed before the draft of the new key was removed.
    await writeFile(join(folder, 'next-receipt-key.json'), next);
    assert.equal(await rotateReceiptKey(folder, new Date()), 'rotated');
    const keys = await loadOrCreateApiKeys(folder);
    assert.equal(keys.receiptKey.x, JSON.parse(next).x);
    assert.deepEqual(
      keys.otherReceiptKeys.map(({ x }) => x),
      [old.receiptKey.x],
    );
    assert.ok(!(await readdir(folder)).includes('next-receipt-key.json'));
  });

  test('is for nobody else to read; of the old one nothing private is kept', async () => {
    const { receiptKey } = await loadOrCreateApiKeys(folder);
    await rotateReceiptKey(folder, new Date());
    await rotateReceiptKey(folder, new Date());
    for (const name of await readdir(folder)) {
      assert.equal((await stat(join(folder, name))).mode & 0o077, 0, name);
      assert.ok(!(await readFile(join(folder, name), 'utf8')).includes(String(receiptKey.d)), name);
    }
  });

  test('reaches processes that have their keys in variables', async () => {
    await rotateReceiptKey(folder, new Date());
    await rotateReceiptKey(folder, new Date());
    const texts = await loadOrCreateApiKeyTexts(folder);
    assert.deepEqual(parseApiKeys(texts), await loadOrCreateApiKeys(folder));
    assert.equal(parseApiKeys(texts).otherReceiptKeys.length, 1);
  });
});

test('a private key is not taken for a public one', () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  assert.equal(toPublicKeys(JSON.stringify({ keys: [privateKey.export({ format: 'jwk' })] })), undefined);
  assert.equal(toPublicKeys('nonsense'), undefined);
  assert.deepEqual(toPublicKeys(''), []);
});
