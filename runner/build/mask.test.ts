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

// With bytes that every escaping treats differently, and a length that no base64 alignment divides.
const awkward = `p4$s'w"rd /+&é?`;
const bytes = Buffer.from(awkward);
const inBase64 = (before: string, after: string) =>
  Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)]).toString('base64');

const accidents: Record<string, string> = {
  raw: awkward,
  'base64 at the first alignment': inBase64('', '\n'),
  'base64 at the second alignment': inBase64('u', ':p'),
  'base64 at the third alignment': inBase64('u:', 'p'),
  base64url: bytes.toString('base64url'),
  'base64url at the second alignment': inBase64('u', ':p').replaceAll('+', '-').replaceAll('/', '_'),
  'hexadecimal, lower case': bytes.toString('hex'),
  'hexadecimal, upper case': bytes.toString('hex').toUpperCase(),
  'URL-encoded': encodeURIComponent(awkward),
  'URL-encoded as a form does': new URLSearchParams({ value: awkward }).toString(),
  'URL-encoded in lower case': encodeURIComponent(awkward).replace(/%../g, (code) => code.toLowerCase()),
  'JSON-escaped': JSON.stringify(awkward),
  'JSON-escaped in ASCII': JSON.stringify(awkward).replace('é', '\\u00e9'),
  'shell-quoted as by set -x': `+ login '${awkward.replace("'", "'\\''")}'`,
  'shell-quoted as by shlex': `'${awkward.replace("'", `'"'"'`)}'`,
  'shell-quoted as by export -p': `declare -x T="p4\\$s'w\\"rd /+&é?"`,
  'HTML-escaped': 'p4$s&#39;w&quot;rd /+&amp;é?',
};
for (const [form, text] of Object.entries(accidents)) {
  test(`a secret is masked wherever it is split: ${form}`, () => {
    const whole = through([awkward], [text]);
    assert.match(whole, /\*\*\*/);
    // What may remain are letters that hold bits of what stands beside the secret.
    assert.ok(whole.replace('***', '').length <= text.length - awkward.length, whole);
    const line = Buffer.from(`before ${text} after\n`);
    const expected = through([awkward], [line.toString()]);
    for (let cut = 0; cut <= line.length; cut++) {
      const mask = createMask([awkward]);
      const parts = [mask.write(line.subarray(0, cut)), mask.write(line.subarray(cut)), mask.end()];
      assert.equal(Buffer.concat(parts).toString(), expected, `cut at ${cut}`);
    }
  });
}

test('a long secret is masked in base64 that is broken into lines', () => {
  const long = 'a long secret, '.repeat(20);
  for (const width of [64, 76]) {
    const wrapped = Buffer.from(long)
      .toString('base64')
      .replace(RegExp(`.{${width}}`, 'g'), '$&\n');
    assert.match(through([long], [wrapped]), /^(\*\*\*\n?)+$/);
  }
});

test('what is made of a secret on purpose is not masked: reversed, spaced out, cut in parts', () => {
  const secret = 'correct-horse';
  for (const text of [[...secret].reverse().join(''), [...secret].join(' '), secret.slice(0, 8)])
    assert.equal(through([secret], [text]), text);
});
