import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { test } from 'node:test';
import { verifyHostSignature } from './host-signature.ts';
import { wireString } from './wire.ts';

interface Host {
  blob: Buffer;
  sign(data: Buffer): Buffer;
}

const hosts: [string, Host][] = [
  ['ssh-ed25519', ed25519Host()],
  ['rsa-sha2-256', rsaHost('rsa-sha2-256', 'sha256')],
  ['rsa-sha2-512', rsaHost('rsa-sha2-512', 'sha512')],
  ['ecdsa-sha2-nistp256', ecdsaHost('nistp256', 'P-256', 'sha256')],
  ['ecdsa-sha2-nistp384', ecdsaHost('nistp384', 'P-384', 'sha384')],
  ['ecdsa-sha2-nistp521', ecdsaHost('nistp521', 'P-521', 'sha512')],
];

for (const [algorithm, host] of hosts) {
  test(`a signature by ${algorithm} is verified; of other data, altered or by another host it is not`, () => {
    // Often enough for numbers that begin with a zero or with the bit that looks like a sign.
    for (let round = 0; round < 40; round += 1) {
      const data = randomBytes(64);
      const signature = host.sign(data);
      assert.equal(verifyHostSignature(host.blob, data, signature), true);
      const altered = Buffer.from(signature);
      altered[altered.length - 1] = (altered[altered.length - 1] ?? 0) ^ 1;
      assert.equal(verifyHostSignature(host.blob, data, altered), false);
      assert.equal(verifyHostSignature(host.blob, randomBytes(64), signature), false);
      for (const [other, { blob }] of hosts) {
        if (other !== algorithm) assert.equal(verifyHostSignature(blob, data, signature), false, other);
      }
    }
  });
}

test('a signature with SHA-1 is not accepted', () => {
  const host = rsaHost('ssh-rsa', 'sha1');
  const data = randomBytes(64);
  assert.equal(verifyHostSignature(host.blob, data, host.sign(data)), false);
});

test('keys and signatures that are cut short or unknown are false, not errors', () => {
  const [, host] = hosts[3] ?? [];
  assert.ok(host);
  const data = randomBytes(64);
  const signature = host.sign(data);
  for (let length = 0; length < host.blob.length; length += 1) {
    assert.equal(verifyHostSignature(host.blob.subarray(0, length), data, signature), false);
  }
  for (let length = 0; length < signature.length; length += 1) {
    assert.equal(verifyHostSignature(host.blob, data, signature.subarray(0, length)), false);
  }
  const offCurve = Buffer.concat([host.blob.subarray(0, -1), Buffer.of((host.blob.at(-1) ?? 0) ^ 1)]);
  assert.equal(verifyHostSignature(offCurve, data, signature), false);
  assert.equal(verifyHostSignature(wireString('ssh-dss'), data, signature), false);
});

function wireSignature(algorithm: string, bytes: Buffer): Buffer {
  return Buffer.concat([wireString(algorithm), wireString(bytes)]);
}

function member(key: KeyObject, name: 'x' | 'y' | 'n' | 'e'): Buffer {
  return Buffer.from(key.export({ format: 'jwk' })[name] ?? '', 'base64url');
}

/** RFC 4251: no needless zeros in front, one when the first bit is set. */
function mpint(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const number = bytes.subarray(start);
  return wireString((number[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.of(0), number]) : number);
}

function ed25519Host(): Host {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return {
    blob: Buffer.concat([wireString('ssh-ed25519'), wireString(member(publicKey, 'x'))]),
    sign: (data) => wireSignature('ssh-ed25519', sign(null, data, privateKey)),
  };
}

function rsaHost(algorithm: string, hash: string): Host {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    blob: Buffer.concat([
      wireString('ssh-rsa'),
      mpint(member(publicKey, 'e')),
      mpint(member(publicKey, 'n')),
    ]),
    sign: (data) => wireSignature(algorithm, sign(hash, data, privateKey)),
  };
}

function ecdsaHost(name: string, curve: string, hash: string): Host {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: curve });
  const point = Buffer.concat([Buffer.of(4), member(publicKey, 'x'), member(publicKey, 'y')]);
  const algorithm = `ecdsa-sha2-${name}`;
  return {
    blob: Buffer.concat([wireString(algorithm), wireString(name), wireString(point)]),
    sign(data) {
      const bytes = sign(hash, data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      const half = bytes.length / 2;
      return wireSignature(
        algorithm,
        Buffer.concat([mpint(bytes.subarray(0, half)), mpint(bytes.subarray(half))]),
      );
    },
  };
}
