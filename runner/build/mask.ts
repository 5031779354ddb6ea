const stars = Buffer.from('***');
// A shorter value would turn ordinary output into stars and protect nothing.
const shortestMasked = 3;

/** Replaces secrets in a stream of bytes, however they are split over chunks. */
export interface Mask {
  /** What may be shown now; bytes that could be the start of a secret are held back until the next call. */
  write(chunk: Buffer): Buffer;
  /** The rest, when the stream ends. */
  end(): Buffer;
}

/**
 * @param secrets plaintext values. Each is masked as it is, line by line, as base64, as base64url and URL-encoded.
 */
export function createMask(secrets: readonly string[]): Mask {
  const needles = [...new Set(secrets.flatMap(forms))]
    .map((form) => Buffer.from(form))
    .filter((needle) => needle.length >= shortestMasked)
    .sort((a, b) => b.length - a.length);
  let held = Buffer.alloc(0);

  const drain = (last: boolean): Buffer => {
    const shown: Buffer[] = [];
    let start = 0;
    for (let position = 0; position < held.length; ) {
      const rest = held.subarray(position);
      const match = needles.find((needle) => startsWith(rest, needle));
      if (!last && needles.some((needle) => needle.length > rest.length && startsWith(needle, rest))) break;
      if (match) {
        shown.push(held.subarray(start, position), stars);
        position += match.length;
        start = position;
      } else {
        position += 1;
      }
      if (!mayStart(needles, held, position)) position = nextCandidate(needles, held, position);
    }
    return finish(shown, start, last);
  };

  const finish = (shown: Buffer[], start: number, last: boolean): Buffer => {
    const keepFrom = last ? held.length : heldBackFrom(needles, held, start);
    shown.push(held.subarray(start, keepFrom));
    const out = Buffer.concat(shown);
    held = Buffer.from(held.subarray(keepFrom));
    return out;
  };

  return {
    write(chunk) {
      held = Buffer.concat([held, chunk]);
      return drain(false);
    },
    end: () => drain(true),
  };
}

function forms(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const lines = secret.includes('\n') ? secret.split(/\r?\n/).filter((line) => line.trim().length >= 8) : [];
  return [
    secret,
    secret.trim(),
    ...lines,
    bytes.toString('base64'),
    bytes.toString('base64url'),
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
  ];
}

function startsWith(haystack: Buffer, needle: Buffer): boolean {
  return haystack.length >= needle.length && haystack.subarray(0, needle.length).equals(needle);
}

function mayStart(needles: readonly Buffer[], bytes: Buffer, position: number): boolean {
  return needles.some((needle) => needle[0] === bytes[position]);
}

function nextCandidate(needles: readonly Buffer[], bytes: Buffer, from: number): number {
  const found = needles.map((needle) => bytes.indexOf(needle[0] ?? 0, from)).filter((at) => at !== -1);
  return found.length === 0 ? bytes.length : Math.min(...found);
}

/** Where the longest end of `bytes` begins that is the start of a needle. */
function heldBackFrom(needles: readonly Buffer[], bytes: Buffer, start: number): number {
  const longest = (needles[0]?.length ?? 1) - 1;
  for (let from = Math.max(start, bytes.length - longest); from < bytes.length; from++) {
    const tail = bytes.subarray(from);
    if (needles.some((needle) => needle.length > tail.length && startsWith(needle, tail))) return from;
  }
  return bytes.length;
}
