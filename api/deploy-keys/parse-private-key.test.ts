import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { ProblemError } from '../http/problem-error.ts';
import { keyOfSeed } from './ed25519-key.ts';
import { parsePrivateKey } from './parse-private-key.ts';
import { sshKeygen } from './ssh-keygen-for-tests.ts';

const refusal = (text: string): string => {
  try {
    parsePrivateKey(text);
  } catch (error) {
    assert.ok(error instanceof ProblemError);
    assert.deepEqual([error.status, error.errors[0]?.pointer], [422, '#/private_key']);
    return error.message;
  }
  assert.fail('it was taken');
};

test('a key of ssh-keygen is read, and its public half has the fingerprint that ssh-keygen prints', async () => {
  const { privateKey, fingerprint } = await sshKeygen('ed25519');
  assert.equal(keyOfSeed(parsePrivateKey(privateKey), '').fingerprint, fingerprint);
  assert.equal(keyOfSeed(parsePrivateKey(privateKey.trim()), '').fingerprint, fingerprint);
  const windows = privateKey.replaceAll('\n', '\r\n');
  assert.equal(keyOfSeed(parsePrivateKey(windows), '').fingerprint, fingerprint);
});

test('a key in PKCS #8 is read, as OpenSSL writes it', () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = String(privateKey.export({ format: 'pem', type: 'pkcs8' }));
  const { d = '' } = createPrivateKey(pem).export({ format: 'jwk' });
  assert.equal(parsePrivateKey(pem).toString('base64url'), d);
});

test('what is no Ed25519 key without a passphrase is refused, with what to do', async () => {
  const [rsa, ecdsa, locked, good] = await Promise.all([
    sshKeygen('rsa'),
    sshKeygen('ecdsa'),
    sshKeygen('ed25519', 'a passphrase'),
    sshKeygen('ed25519'),
  ]);
  assert.match(refusal(rsa.privateKey), /a key of type ssh-rsa, where Ebb takes ssh-ed25519.*ssh-keygen -t/);
  assert.match(refusal(ecdsa.privateKey), /of type ecdsa-sha2-nistp256/);
  assert.match(refusal(locked.privateKey), /has a passphrase.*ssh-keygen -p -N ""/);
  assert.match(refusal(good.publicKey), /This is the public half/);
  assert.match(refusal('hunter2'), /no private key in PEM, complete from its BEGIN to its END line/);
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const [pkcs1, pkcs8] = (['pkcs1', 'pkcs8'] as const).map((type) =>
    String(privateKey.export({ format: 'pem', type })),
  );
  assert.match(refusal(pkcs1 ?? ''), /This is a RSA PRIVATE KEY/);
  assert.match(refusal(pkcs8 ?? ''), /a key of type rsa/);
});

test('a damaged key is refused, and nothing of it is in the message', async () => {
  const { privateKey } = await sshKeygen('ed25519');
  const [begin = '', ...rest] = privateKey.trim().split('\n');
  const end = rest.pop() ?? '';
  const bytes = Buffer.from(rest.join(''), 'base64');
  const damages = fc.oneof(
    fc.nat(bytes.length - 1).map((length) => bytes.subarray(0, length)),
    fc
      .tuple(fc.nat(bytes.length - 1), fc.uint8Array({ minLength: 4, maxLength: 4 }))
      .map(([at, other]) => Buffer.concat([bytes.subarray(0, at), other, bytes.subarray(at + 4)])),
  );
  fc.assert(
    fc.property(damages, (damaged) => {
      const text = `${begin}\n${damaged.toString('base64')}\n${end}\n`;
      try {
        assert.equal(parsePrivateKey(text).length, 32);
      } catch (error) {
        assert.ok(error instanceof ProblemError, String(error));
        assert.match(
          error.message,
          /^(The private key is damaged|It has a passphrase|This is no private key)/,
        );
      }
    }),
  );
});
