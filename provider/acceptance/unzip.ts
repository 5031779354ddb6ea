import { inflateRawSync } from 'node:zlib';

const centralSignature = 0x02014b50;
const endSignature = 0x06054b50;
const deflated = 8;

/**
 * Contents of a ZIP archive such as a plan file, by name.
 *
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
export function unzip(archive: Buffer): Map<string, Buffer> {
  const contents = new Map<string, Buffer>();
  const end = archive.lastIndexOf(Buffer.from(Uint32Array.of(endSignature).buffer));
  const count = archive.readUInt16LE(end + 10);
  let at = archive.readUInt32LE(end + 16);
  for (let entry = 0; entry < count; entry += 1) {
    if (archive.readUInt32LE(at) !== centralSignature) throw new Error('The archive is broken.');
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) =>
      archive.readUInt16LE(at + field),
    );
    const nameEnd = at + 46 + (nameLength ?? 0);
    contents.set(archive.toString('utf8', at + 46, nameEnd), contentOf(archive, at));
    at = nameEnd + (extraLength ?? 0) + (commentLength ?? 0);
  }
  return contents;
}

function contentOf(archive: Buffer, central: number): Buffer {
  const local = archive.readUInt32LE(central + 42);
  const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
  const packed = archive.subarray(start, start + archive.readUInt32LE(central + 20));
  return archive.readUInt16LE(central + 10) === deflated ? inflateRawSync(packed) : packed;
}
