import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { messages } from './messages.ts';
import { codecOf } from './protocol.ts';
import { wire } from './serve-for-tests.ts';

/** Stands where a write-only value does. */
export const planted = 'hunter2hunter2';

const secret = Buffer.from(encode(planted));
const whole = Buffer.from(wire({ id: null, name: 'a', secret_wo: planted }).msgpack);
const bytes = fc.uint8Array({ maxLength: 40 }).map((some) => Buffer.from(some));
const then = (...parts: Uint8Array[]) => Buffer.concat([...parts, secret]);

/** Msgpack that is none, is cut, is of other types, claims too much or nests too deeply; some of it is right. */
const msgpack: fc.Arbitrary<Buffer> = fc.oneof(
  fc.constant(whole),
  fc.nat(whole.length).map((length) => whole.subarray(0, length)),
  bytes.map((some) => then(some)),
  fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, byte]) => {
    // Only its structure: the name may be told.
    const structure = [0, 1, 4, 5];
    const changed = Buffer.from(whole);
    changed[structure[at % structure.length] ?? 0] = byte;
    return changed;
  }),
  fc.constantFrom(
    Buffer.from(encode({ id: { planted }, name: [planted], secret_wo: planted })),
    Buffer.from(encode({ id: null, name: 5, secret_wo: planted })),
    Buffer.from(encode({ id: null, name: 'a', secret_wo: [planted] })),
    Buffer.from(encode({ id: null, name: 'a', secret_wo: planted, [`${'x'.repeat(50)}`]: planted })),
    Buffer.from(encode([planted])),
    then(Buffer.alloc(10_000, 0x91)),
    then(Buffer.alloc(10_000, 0x81)),
    ...['dd01ffffff', 'df01ffffff', 'ddffffffff', 'dbffffffff', 'c6ffffffff', 'c9ffffffff0c', 'c7ff0c'].map(
      (head) => then(Buffer.from(head.repeat(50), 'hex')),
    ),
    then(Buffer.from([0xd6, 0xff, 0, 0, 0, 0])),
  ),
);

const json = fc
  .constantFrom(
    `{"id":"t1","name":"a","secret_wo":"${planted}"}`,
    `{"id":"t1","name":"a","secret_wo":"${planted}`,
    `{"id":"t1","name":${planted}}`,
    `{"id":"t1","name":["${planted}"],"secret_wo":{"${planted}":1}}`,
    `["${planted}"]`,
    `${planted}`,
    `${'['.repeat(10_000)}"${planted}"`,
    `${'{"a":'.repeat(10_000)}"${planted}"${'}'.repeat(10_000)}`,
  )
  .map((text) => Buffer.from(text));

const names = fc.constantFrom(
  'test_thing',
  'test_none',
  '__proto__',
  'constructor',
  'toString',
  '',
  '\ud800',
);
const named = ['type_name', 'target_type_name', 'action_type', 'name'];

/** Bytes for a method: a message with garbage in it, at times cut or with more behind it, or nothing but garbage. */
export function anyRequest(message: string): fc.Arbitrary<Uint8Array> {
  const wellFormed = anyMessage(message).map((request) => codecOf(message).encode(request));
  return fc.oneof(
    { weight: 4, arbitrary: wellFormed },
    { weight: 1, arbitrary: fc.tuple(wellFormed, bytes).map((parts) => Buffer.concat(parts)) },
    {
      weight: 1,
      arbitrary: fc.tuple(wellFormed, fc.nat()).map(([all, cut]) => all.subarray(0, cut % (all.length + 1))),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }) },
  );
}

function anyMessage(message: string): fc.Arbitrary<Record<string, unknown>> {
  if (message === 'DynamicValue') {
    return fc.oneof(
      { weight: 4, arbitrary: msgpack.map((some) => ({ msgpack: some })) },
      json.map((some) => ({ json: some })),
    );
  }
  if (message === 'RawState') return fc.oneof(json, bytes).map((some) => ({ json: some }));
  // An identity is no place for a secret.
  if (message === 'IdentityData') return bytes.map((some) => ({ identity_data: { msgpack: some } }));
  const fields = Object.entries(messages[message] ?? {}).map(
    ([name, notation]): [string, fc.Arbitrary<unknown>] => {
      const [, ...words] = notation.split(' ');
      const item = named.includes(name) ? names : anyItem(words.at(-1) ?? '');
      return [name, words[0] === 'repeated' ? fc.array(item, { maxLength: 3 }) : item];
    },
  );
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] });
}

function anyItem(type: string): fc.Arbitrary<unknown> {
  if (type === 'string') return fc.string({ maxLength: 20 });
  if (type === 'bytes') return bytes;
  if (type === 'bool') return fc.boolean();
  if (type === 'int32' || type === 'int64') return fc.oneof(fc.constantFrom(0, 1, -1), fc.maxSafeInteger());
  return anyMessage(type);
}
