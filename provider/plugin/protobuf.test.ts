import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { messages } from './messages.ts';
import { codecs, type MessageFields } from './protobuf.ts';
import { codecOf } from './protocol.ts';
import { typesOfProtobufJs } from './protocol-for-tests.ts';

/** Any value of a message: some fields are absent, and nested ones end after a few levels. */
function anyMessage(name: string, depth = 0): fc.Arbitrary<Record<string, unknown>> {
  const fields = Object.entries(messages[name] ?? {}).map(([field, notation]) => {
    const [, ...words] = notation.split(' ');
    const item = anyItem(words.at(-1) ?? '', depth);
    if (words[0] === 'repeated') return [field, fc.array(item, { maxLength: 3 })] as const;
    if (words[0] === 'map')
      return [
        field,
        fc.dictionary(
          fc.string().filter((key) => key !== '__proto__'),
          item,
          { maxKeys: 3 },
        ),
      ] as const;
    return [field, item] as const;
  });
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] });
}

function anyItem(type: string, depth: number): fc.Arbitrary<unknown> {
  if (type === 'string') return fc.string({ unit: 'binary' }).map((text) => text.toWellFormed());
  if (type === 'bytes') return fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  if (type === 'bool') return fc.boolean();
  if (type === 'int32') return fc.integer();
  if (type === 'int64') return fc.maxSafeInteger();
  return depth < 3 ? anyMessage(type, depth + 1) : fc.constant({});
}

const theirs = typesOfProtobufJs();

for (const name of Object.keys(messages)) {
  test(`${name} is read by another implementation as it was written, and the other way round`, () => {
    const ours = codecOf(name);
    fc.assert(
      fc.property(anyMessage(name), (message) => {
        const written = ours.encode(message);
        assert.deepEqual(ours.decode(theirs(name).encode(message)), ours.decode(written));
        assert.deepEqual(theirs(name).decode(written), theirs(name).decode(theirs(name).encode(message)));
      }),
      { numRuns: 60 },
    );
  });
}

test('fields that are not known are passed over, whatever their kind', () => {
  const now: Record<string, MessageFields> = { Thing: { name: '1 string' } };
  const later = { Thing: { name: '1 string', more: '2 Thing', count: '9 int64', data: '300 bytes' } };
  const bytes = codecs(later)('Thing').encode({
    name: 'a',
    more: { name: 'b' },
    count: 7,
    data: Buffer.of(1),
  });
  const fixed = Buffer.from([0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x25, 1, 2, 3, 4]);
  assert.deepEqual({ ...codecs(now)('Thing').decode(Buffer.concat([fixed, bytes])) }, { name: 'a' });
});

test('bytes that are no message are refused, and never hang or exhaust memory', () => {
  const name = 'ApplyResourceChangeRequest';
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        codecOf(name).decode(bytes);
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
      }
    }),
    { numRuns: 2_000 },
  );
  const endless = { Thing: { inner: '1 Thing' } };
  let nested = Buffer.alloc(0);
  for (let depth = 0; depth < 5_000; depth += 1) {
    const length = codecs({ L: { l: '1 int64' } })('L')
      .encode({ l: nested.length })
      .subarray(1);
    nested = Buffer.concat([Buffer.of(10), length.length ? length : Buffer.of(0), nested]);
  }
  assert.throws(() => codecs(endless)('Thing').decode(nested), /nested too deeply/);
});
