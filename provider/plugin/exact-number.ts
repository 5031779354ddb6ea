/** A number that is never rounded, in the one form that it has: see `Value`. */
export type ExactNumber = number | bigint | string;

const notation = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
// Longer than any double; what is longer still stays as short as it came.
const longestWrittenOut = 10_000;

/** The number that a decimal text says. Throws `TypeError` on any other text. */
export function exactNumber(text: string): ExactNumber {
  const [, sign = '', whole, fraction = '', exponent = '0'] = notation.exec(text) ?? [];
  if (whole === undefined) throw new TypeError('A number was expected, found another text.');
  const digits = `${whole}${fraction}`;
  const significant = trimZeros(digits);
  if (significant.text === '') return 0;
  const power = Number(exponent) - fraction.length + significant.droppedAtEnd;
  if (!Number.isSafeInteger(power))
    throw new TypeError('A number has an exponent that is beyond all bounds.');
  if (significant.text.length + Math.abs(power) > longestWrittenOut)
    return `${sign}${significant.text}e${power}`;
  const decimal = `${sign}${shifted(significant.text, power)}`;
  if (power >= 0) return canonicalNumber(BigInt(decimal));
  const double = Number(decimal);
  return decimalOf(double) === decimal ? double : decimal;
}

/**
 * The one form of a number: a `number` where that is exact, save for integers beyond the safe range, which are `bigint`.
 * Throws `TypeError` on what is no number.
 */
export function canonicalNumber(value: ExactNumber): ExactNumber {
  if (typeof value === 'string') return exactNumber(value);
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Number.isNaN(value)) throw new TypeError('A number was expected, found NaN.');
  if (Object.is(value, -0)) return 0;
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? BigInt(value) : value;
}

function trimZeros(digits: string): { text: string; droppedAtEnd: number } {
  let start = 0;
  let end = digits.length;
  while (digits[start] === '0') start += 1;
  while (end > start && digits[end - 1] === '0') end -= 1;
  return { text: digits.slice(start, end), droppedAtEnd: digits.length - end };
}

/** `digits` × 10^`power`, written out. */
function shifted(digits: string, power: number): string {
  if (power >= 0) return digits + '0'.repeat(power);
  const padded = digits.padStart(1 - power, '0');
  return `${padded.slice(0, power)}.${padded.slice(power)}`;
}

/** A double with all its digits: it is a whole number of halves, quarters, eighths and so on. */
function decimalOf(double: number): string {
  let whole = Math.abs(double);
  let halvings = 0;
  // Doubling is exact.
  for (; !Number.isInteger(whole); halvings += 1) whole *= 2;
  const digits = BigInt(whole) * 5n ** BigInt(halvings);
  return `${double < 0 ? '-' : ''}${shifted(digits.toString(), -halvings)}`;
}
