import type { Readable } from 'node:stream';

export interface TarEntry {
  /** As in the archive, such as `./usr/bin/git`; folders end with `/`. */
  path: string;
  /** POSIX type flag: `0` file, `1` hard link, `2` symbolic link, `5` folder, others are devices and the like. */
  type: string;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  linkPath: string;
  data: Buffer;
}

/** The archive is damaged or cut off. */
export class TarError extends Error {
  override name = 'TarError';
}

const block = 512;

/**
 * Reads the members of a tar stream in order, holding one at a time in memory. Knows ustar, pax headers for path and
 * link, and GNU's long names. Throws a TarError.
 *
 * @see https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13
 */
export async function* readTar(stream: Readable): AsyncGenerator<TarEntry> {
  const take = createTaker(stream);
  let override: { path?: string; linkpath?: string } = {};
  for (;;) {
    const header = await take(block);
    if (header === undefined) throw new TarError('The tar archive ends early.');
    if (header.every((byte) => byte === 0)) break;
    checkSum(header);
    const size = readNumber(header, 124, 12);
    const body = (await take(Math.ceil(size / block) * block)) ?? Buffer.alloc(0);
    const data = body.subarray(0, size);
    const type = String.fromCharCode(header[156] || 0x30);
    if (type === 'g') continue;
    if (type === 'x') override = { ...override, ...paxRecords(data) };
    else if (type === 'L') override = { ...override, path: cString(data) };
    else if (type === 'K') override = { ...override, linkpath: cString(data) };
    else {
      yield toEntry(header, type, data, override);
      override = {};
    }
  }
  // The writer wants its padding read, or it ends with a broken pipe.
  while ((await take(block)) !== undefined);
}

function toEntry(
  header: Buffer,
  type: string,
  data: Buffer,
  override: { path?: string; linkpath?: string },
): TarEntry {
  const prefix = cString(header.subarray(345, 500));
  const name = cString(header.subarray(0, 100));
  return {
    path: override.path ?? (prefix === '' ? name : `${prefix}/${name}`),
    type,
    mode: readNumber(header, 100, 8) & 0o7777,
    uid: readNumber(header, 108, 8),
    gid: readNumber(header, 116, 8),
    linkPath: override.linkpath ?? cString(header.subarray(157, 257)),
    data,
  };
}

/** Resolves to exactly `length` bytes, or to undefined when the stream is at its end. */
function createTaker(stream: Readable): (length: number) => Promise<Buffer | undefined> {
  const chunks = stream[Symbol.asyncIterator]();
  let pending: Buffer = Buffer.alloc(0);
  return async (length) => {
    const parts = [pending];
    let have = pending.length;
    while (have < length) {
      const next = await chunks.next();
      if (next.done) {
        if (have === 0) return undefined;
        throw new TarError('The tar archive ends early.');
      }
      parts.push(next.value);
      have += next.value.length;
    }
    const all = parts.length === 1 ? pending : Buffer.concat(parts);
    pending = all.subarray(length);
    return all.subarray(0, length);
  };
}

function checkSum(header: Buffer): void {
  const expected = readNumber(header, 148, 8);
  let sum = 0;
  for (let i = 0; i < block; i++) sum += i >= 148 && i < 156 ? 0x20 : (header[i] ?? 0);
  if (sum !== expected) throw new TarError('The tar archive is damaged: a header has a wrong check sum.');
}

function readNumber(header: Buffer, offset: number, length: number): number {
  const text = cString(header.subarray(offset, offset + length)).trim();
  const value = Number.parseInt(text === '' ? '0' : text, 8);
  if (Number.isNaN(value)) throw new TarError('The tar archive is damaged: a header has no octal number.');
  return value;
}

function cString(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end === -1 ? bytes.length : end).toString('utf8');
}

/** `<length> <key>=<value>\n`, repeated. */
function paxRecords(data: Buffer): { path?: string; linkpath?: string } {
  const records: Record<string, string> = {};
  for (let offset = 0; offset < data.length; ) {
    const space = data.indexOf(0x20, offset);
    const length = Number.parseInt(data.subarray(offset, space).toString('ascii'), 10);
    if (space === -1 || !(length > 0)) throw new TarError('The tar archive is damaged: a bad pax header.');
    const record = data.subarray(space + 1, offset + length - 1).toString('utf8');
    const equals = record.indexOf('=');
    records[record.slice(0, equals)] = record.slice(equals + 1);
    offset += length;
  }
  const { path, linkpath } = records;
  return { ...(path !== undefined && { path }), ...(linkpath !== undefined && { linkpath }) };
}
