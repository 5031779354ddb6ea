import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { readConsole } from './console.ts';

test('a text is seen that comes in two parts, or before much else in one', async () => {
  const stream = new PassThrough();
  const console = readConsole(stream);
  const parts = console.saw('ebb: ready');
  stream.write('ebb: re');
  stream.write('ady\n');
  await parts;
  const early = console.saw('first');
  stream.write(`first${'x'.repeat(50_000)}`);
  await early;
});

test('only the end is kept, however much a VM prints', async () => {
  const stream = new PassThrough();
  const console = readConsole(stream);
  for (let line = 0; line < 10_000; line++) stream.write(`line ${line}\n`);
  stream.write('end');
  await console.saw('end');
  assert.ok(console.tail().length <= 8 * 1024);
  assert.ok(console.tail().endsWith('line 9999\nend'));
});

test('control characters are not shown', async () => {
  const stream = new PassThrough();
  const console = readConsole(stream);
  stream.write('\u001b[2Jhello\u0007\r\nend');
  await console.saw('end');
  assert.equal(console.tail(), '[2Jhello\nend');
});
