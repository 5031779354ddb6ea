import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeEd25519 } from './ed25519-for-tests.ts';
import { publicKeyBlob, publicKeyLine } from './public-key-line.ts';

test('a key goes to its line and back, with or without a comment', () => {
  const { blob } = makeEd25519();
  const line = publicKeyLine(blob);
  assert.match(line, /^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA\S+$/);
  assert.deepEqual(publicKeyBlob(line), blob);
  assert.deepEqual(publicKeyBlob(`${line} ci@example.com\n`), blob);
});

test('a line that is no public key is refused', () => {
  const other = publicKeyLine(makeEd25519().blob).replace('ssh-ed25519', 'ssh-rsa');
  for (const line of ['', 'ssh-ed25519', 'ssh-ed25519 !!!!', other]) {
    assert.throws(() => publicKeyBlob(line), { name: 'TypeError', message: /OpenSSH format/ });
  }
});
