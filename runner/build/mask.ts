import { secretForms } from './secret-forms.ts';

const stars = Buffer.from('***');

/** Replaces secrets in a stream of bytes, however they are split over chunks. */
export interface Mask {
  /** What may be shown now; bytes that could be the start of a secret are held back until the next call. */
  write(chunk: Buffer): Buffer;
  /** The rest, when the stream ends. */
  end(): Buffer;
  /** How many bytes of what was written are held back. */
  held(): number;
}

/** @param secrets plaintext values; each is masked in all of its forms, see `secretForms` */
export function createMask(secrets: readonly string[]): Mask {
  const needles = createNeedles(secrets.flatMap(secretForms).map((form) => Buffer.from(form)));
  let held: Buffer = Buffer.alloc(0);

  const drain = (last: boolean): Buffer => {
    const shown: Buffer[] = [];
    let start = 0;
    let position = needles.next(held, 0);
    while (position < held.length) {
      const { match, mayGrow } = needles.at(held, position);
      if (mayGrow && !last) break;
      if (match === 0) {
        position = needles.next(held, position + 1);
        continue;
      }
      shown.push(held.subarray(start, position), stars);
      start = position + match;
      position = needles.next(held, start);
    }
    const end = Math.min(position, held.length);
    shown.push(held.subarray(start, end));
    held = Buffer.from(held.subarray(end));
    return Buffer.concat(shown);
  };

  return {
    write(chunk) {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      return drain(false);
    },
    end: () => drain(true),
    held: () => held.length,
  };
}

interface Needles {
  /** The next position, from `from` on, where a needle may begin; the length of `bytes` when there is none. */
  next(bytes: Buffer, from: number): number;
  /** How long the longest needle is that stands here (0: none), and whether a longer one may, once more bytes are known. */
  at(bytes: Buffer, position: number): { match: number; mayGrow: boolean };
}

/**
 * Looks for all needles in one pass: a table says of each pair of bytes whether a needle begins with it, so that ordinary
 * output costs one look a byte, however many needles there are.
 */
function createNeedles(needles: readonly Buffer[]): Needles {
  const firsts = new Uint8Array(256);
  const pairs = new Uint8Array(65_536);
  const byPair = new Map<number, Buffer[]>();
  for (const needle of needles.toSorted((a, b) => b.length - a.length)) {
    const pair = needle.readUInt16BE();
    firsts[needle[0] as number] = 1;
    pairs[pair] = 1;
    byPair.set(pair, [...(byPair.get(pair) ?? []), needle]);
  }
  return {
    next(bytes, from) {
      const last = bytes.length - 1;
      for (let at = from; at < last; at++) {
        if (pairs[((bytes[at] as number) << 8) | (bytes[at + 1] as number)] === 1) return at;
      }
      return from <= last && firsts[bytes[last] as number] === 1 ? last : bytes.length;
    },
    at(bytes, position) {
      const rest = bytes.length - position;
      if (rest === 1) return { match: 0, mayGrow: true };
      const candidates = byPair.get(bytes.readUInt16BE(position)) ?? [];
      const same = (needle: Buffer, length: number) =>
        bytes.compare(needle, 0, length, position, position + length) === 0;
      return {
        match: candidates.find((needle) => needle.length <= rest && same(needle, needle.length))?.length ?? 0,
        mayGrow: candidates.some((needle) => needle.length > rest && same(needle, rest)),
      };
    },
  };
}
