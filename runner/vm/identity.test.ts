import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import ssh2 from 'ssh2';
import { publicKeyBlob } from '../ssh/public-key-line.ts';
import { createIdentity } from './identity.ts';
import { makeSshKeyPair } from './openssh-private-key.ts';

/** Name to permissions and text, read from the newc format by its definition. */
function membersOf(archive: Buffer): Map<string, { permissions: number; text: string }> {
  const members = new Map<string, { permissions: number; text: string }>();
  const padded = (length: number) => length + (-length & 3);
  for (let at = 0; at < archive.length; ) {
    const field = (index: number) =>
      Number.parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    assert.equal(archive.toString('latin1', at, at + 6), '070701');
    const name = archive.toString('utf8', at + 110, at + 110 + field(11) - 1);
    const data = at + padded(110 + field(11));
    members.set(name, {
      permissions: field(1) & 0o777,
      text: archive.toString('utf8', data, data + field(6)),
    });
    at = data + padded(field(6));
  }
  return members;
}

test('every key pair can be read, signs, and is verified by its public line', () => {
  for (let round = 0; round < 300; round++) {
    const { privateKey, publicLine, publicBlob } = makeSshKeyPair();
    const key = ssh2.utils.parseKey(privateKey);
    const publicKey = ssh2.utils.parseKey(publicLine);
    assert.ok(!(key instanceof Error) && !(publicKey instanceof Error));
    assert.deepEqual(key.getPublicSSH(), publicBlob);
    assert.equal(publicKey.verify('message', key.sign('message')), true);
  }
});

test('OpenSSH finds the public key in the private one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-key-'));
  try {
    const { privateKey, publicLine } = makeSshKeyPair();
    await writeFile(join(folder, 'key'), privateKey, { mode: 0o600 });
    const shown = execFileSync('ssh-keygen', ['-y', '-f', join(folder, 'key')], { encoding: 'utf8' });
    assert.equal(shown.trim(), publicLine);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('an identity holds the host key and who may log in, and not the key that logs in', () => {
  const { archive, hostKey, clientKey } = createIdentity();
  const members = membersOf(archive);
  assert.deepEqual(
    [...members].map(([name, { permissions }]) => [name, permissions]),
    [
      ['ebb-identity', 0o700],
      ['ebb-identity/ssh_host_ed25519_key', 0o600],
      ['ebb-identity/ssh_host_ed25519_key.pub', 0o644],
      ['ebb-identity/authorized_keys', 0o600],
      ['TRAILER!!!', 0],
    ],
  );
  const text = (name: string) => members.get(`ebb-identity/${name}`)?.text ?? '';
  assert.deepEqual(publicKeyBlob(text('ssh_host_ed25519_key.pub')), hostKey);
  const host = ssh2.utils.parseKey(text('ssh_host_ed25519_key'));
  const client = ssh2.utils.parseKey(clientKey);
  assert.ok(!(host instanceof Error) && !(client instanceof Error));
  assert.deepEqual(host.getPublicSSH(), hostKey);
  assert.deepEqual(client.getPublicSSH(), publicKeyBlob(text('authorized_keys')));
  assert.equal(archive.includes(clientKey), false);
});

test('no two VMs share a key', () => {
  const [one, other] = [createIdentity(), createIdentity()];
  assert.notDeepEqual(one.hostKey, other.hostKey);
  assert.notDeepEqual(one.clientKey, other.clientKey);
});
