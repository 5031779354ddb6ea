import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import type { CtyType } from './cty-type.ts';
import { Dynamic, Unknown, unknown, type Value } from './value.ts';

const deepest = 5;
const awkwardNames = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '', 'length', '0'];

/** Text of whole characters, at times long enough that libraries take another way. */
export const anyText = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 250, maxLength: 300 }) },
  { weight: 1, arbitrary: fc.string({ maxLength: 300 }).map((text) => `\ufeff${text.padEnd(250, 'x')}`) },
);
export const anyName = fc.oneof(
  fc.constantFrom(...awkwardNames),
  fc.string({ unit: 'binary', maxLength: 8 }),
);

const bigInteger = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.bigInt({ min: -(2n ** 300n), max: 2n ** 300n }),
  fc.constantFrom(2n ** 53n, -(2n ** 53n), 2n ** 63n, -(2n ** 63n) - 1n, 2n ** 64n, 10n ** 400n),
);
const fraction = fc
  .tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.integer({ min: -1_200, max: 1_200 }))
  .map(([digits, exponent]) => `${digits}e${exponent}`);

/** A number, not always in the form that it comes back in. */
export const anyNumber: fc.Arbitrary<number | bigint | string> = fc.oneof(
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  bigInteger,
  fraction,
  fc.constantFrom(
    -0,
    0,
    '-0',
    '0.1',
    '0.10',
    '1.0',
    '0.5',
    '1e3',
    '1e1000000000',
    5e-324,
    Number.MAX_VALUE,
    5n,
  ),
);

/** What Terraform may know of an unknown value of a type, as go-cty writes it. */
function refinements(type: CtyType): fc.Arbitrary<Uint8Array> {
  const keys = { nullness: 1, prefix: 2, minimum: 3, maximum: 4, shortest: 5, longest: 6 };
  const known: [number, fc.Arbitrary<unknown>][] = [[keys.nullness, fc.constant(false)]];
  if (type === 'string') known.push([keys.prefix, fc.string({ unit: 'binary', maxLength: 20 })]);
  if (type === 'number') {
    const bound = fc.tuple(fc.integer(), fc.boolean());
    known.push([keys.minimum, bound], [keys.maximum, bound]);
  }
  if (typeof type !== 'string' && ['list', 'set', 'map'].includes(type[0])) {
    known.push([keys.shortest, fc.nat(5)], [keys.longest, fc.integer({ min: 5, max: 9 })]);
  }
  const entry = fc.constantFrom(...known).chain(([key, value]) => fc.tuple(fc.constant(key), value));
  return fc
    .uniqueArray(entry, { selector: ([key]) => key, minLength: 1, maxLength: 3 })
    .map((entries) =>
      Buffer.concat([
        Buffer.of(0x80 | entries.length),
        ...entries.flatMap(([key, value]) => [Buffer.of(key), Buffer.from(encode(value))]),
      ]),
    );
}

export function anyType(depth = 0): fc.Arbitrary<CtyType> {
  const primitive = fc.constantFrom<CtyType>('string', 'number', 'bool', 'dynamic');
  if (depth >= deepest) return primitive;
  const inner = fc.constant(null).chain(() => anyType(depth + 1));
  return fc.oneof(
    { weight: 2, arbitrary: primitive },
    { weight: 3, arbitrary: fc.tuple(fc.constantFrom('list', 'set', 'map'), inner) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('tuple'), fc.array(inner, { maxLength: 3 })) },
    { weight: 2, arbitrary: fc.tuple(fc.constant('object'), fc.dictionary(anyName, inner, { maxKeys: 4 })) },
  ) as fc.Arbitrary<CtyType>;
}

/** A value of the type; without unknown ones where it is to be `known`. */
export function anyValue(type: CtyType, { known = false, depth = 0 } = {}): fc.Arbitrary<Value> {
  const refined = refinements(type).map((refinement) => new Unknown(refinement));
  return fc.oneof(
    { weight: 12, arbitrary: presentValue(type, { known, depth }) },
    { weight: 1, arbitrary: fc.constant(null) },
    ...(known ? [] : [{ weight: 1, arbitrary: fc.oneof(fc.constant(unknown), refined) }]),
  );
}

function presentValue(
  type: CtyType,
  { known, depth }: { known: boolean; depth: number },
): fc.Arbitrary<Value> {
  const inner = (of: CtyType) => anyValue(of, { known, depth: depth + 1 });
  if (type === 'string') return anyText;
  if (type === 'number') return anyNumber;
  if (type === 'bool') return fc.boolean();
  if (type === 'dynamic') {
    return anyType(Math.max(depth, deepest - 2)).chain((of) =>
      inner(of).map((value) => new Dynamic(of, value)),
    );
  }
  switch (type[0]) {
    case 'list':
    case 'set':
      return fc.array(inner(type[1]), { maxLength: 4 });
    case 'map':
      return fc.dictionary(anyName, inner(type[1]), { maxKeys: 4 });
    case 'tuple':
      return fc.tuple(...type[1].map(inner));
    case 'object': {
      const names = Object.keys(type[1]);
      const values = fc.tuple(...names.map((name) => inner(type[1][name] ?? 'dynamic')));
      return values.map((items) =>
        Object.fromEntries(names.map((name, index) => [name, items[index] ?? null])),
      );
    }
  }
}

/** A type and a value of it. */
export function anyTyped(options: { known?: boolean } = {}): fc.Arbitrary<[CtyType, Value]> {
  return anyType().chain((type) => fc.tuple(fc.constant(type), anyValue(type, options)));
}
