import type { CtyType } from './cty-type.ts';
import { Dynamic, isValueMap, Unknown, type Value } from './value.ts';

/** Whether two values of a type are the same to Terraform: numbers by what they say, sets without order. */
export function sameValue(a: Value, b: Value, type: CtyType): boolean {
  if (a === null || b === null) return a === b;
  if (a instanceof Unknown || b instanceof Unknown) {
    return a instanceof Unknown && b instanceof Unknown && bytesOf(a) === bytesOf(b);
  }
  if (type === 'dynamic') {
    if (!(a instanceof Dynamic && b instanceof Dynamic)) return false;
    return (
      JSON.stringify(a.type) === JSON.stringify(b.type) && sameValue(a.value, b.value, a.type as CtyType)
    );
  }
  if (type === 'number') return digitsOf(a) === digitsOf(b);
  if (typeof type === 'string') return a === b;
  if (Array.isArray(a) && Array.isArray(b)) {
    if (type[0] === 'set') return isSubset(a, b, type[1]) && isSubset(b, a, type[1]);
    const typeAt = (index: number) => (type[0] === 'tuple' ? type[1][index] : type[1]) as CtyType;
    return (
      a.length === b.length && a.every((item, index) => sameValue(item, b[index] ?? null, typeAt(index)))
    );
  }
  if (!isValueMap(a) || !isValueMap(b)) return false;
  const names = Object.keys(a);
  const typeOf = (name: string) =>
    type[0] === 'object' ? (type[1][name] ?? 'dynamic') : (type[1] as CtyType);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && sameValue(a[name] ?? null, b[name] ?? null, typeOf(name)))
  );
}

function isSubset(some: Value[], all: Value[], type: CtyType): boolean {
  return some.every((item) => all.some((other) => sameValue(item, other, type)));
}

function bytesOf({ refinement }: Unknown): string | undefined {
  return refinement && Buffer.from(refinement).toString('hex');
}

/** `-12e-3` for -0.012: the digits that count, and the power of ten of the last. */
export function digitsOf(number: Value): string {
  const [, sign, whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d*))?(?:e([+-]?\d+))?$/i.exec(
      typeof number === 'number' ? writtenOut(number) : String(number),
    ) ?? [];
  if (whole === '') return String(number);
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const counting = digits.replace(/0+$/, '');
  if (counting === '') return '0';
  return `${sign}${counting}e${Number(exponent) - fraction.length + digits.length - counting.length}`;
}

/** A double exactly: `BigInt` knows whole ones, and each halving is five times as much in tenths. */
function writtenOut(double: number): string {
  if (!Number.isFinite(double)) return String(double);
  if (Number.isInteger(double)) return String(BigInt(double));
  let halvings = 0;
  while (!Number.isInteger(double * 2 ** Math.min(halvings, 1000) * 2 ** Math.max(halvings - 1000, 0)))
    halvings += 1;
  const whole = double * 2 ** Math.min(halvings, 1000) * 2 ** Math.max(halvings - 1000, 0);
  return `${BigInt(whole) * 5n ** BigInt(halvings)}e-${halvings}`;
}
