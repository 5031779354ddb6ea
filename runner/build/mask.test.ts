import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMask } from './mask.ts';

function through(secrets: string[], chunks: string[]): string {
  const mask = createMask(secrets);
  return Buffer.concat([...chunks.map((chunk) => mask.write(Buffer.from(chunk))), mask.end()]).toString();
}

test('a secret is masked wherever it is split', () => {
  const text = 'token is s3cr3t-value, said s3cr3t-value.';
  for (let cut = 0; cut <= text.length; cut++) {
    const masked = through(['s3cr3t-value'], [text.slice(0, cut), text.slice(cut)]);
    assert.equal(masked, 'token is ***, said ***.', `cut at ${cut}`);
  }
});

test('a secret that comes byte by byte is masked', () => {
  assert.equal(through(['abcabd'], [...'xabcabcabdx']), 'xabc***x');
});

test('of two secrets that begin alike the longer one is masked whole', () => {
  assert.equal(through(['hunter', 'hunter22'], ['hunter2', '2 hunter 2']), '*** *** 2');
});

test('base64, URL-encoded and single lines of a secret are masked', () => {
  const secret = 'first line/+ of it\nsecond line of it';
  const shown = [
    Buffer.from(secret).toString('base64'),
    encodeURIComponent(secret),
    'second line of it',
    JSON.stringify(secret),
  ].join(' ');
  assert.equal(through([secret], [shown]), '*** *** *** "***"');
});

test('output without a secret comes out at once and unchanged', () => {
  const mask = createMask(['secret']);
  assert.equal(mask.write(Buffer.from('all is well\n')).toString(), 'all is well\n');
  assert.equal(mask.write(Buffer.from('no sec')).toString(), 'no ');
  assert.equal(mask.write(Buffer.from('ond\n')).toString(), 'second\n');
});

test('values too short to be secret are left alone', () => {
  assert.equal(through(['1', 'ab'], ['a 1 ab']), 'a 1 ab');
});
