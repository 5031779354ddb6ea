import { createHash } from 'node:crypto';

/** Numbers of Apple's `cs_blobs.h`. All numbers of a signature are big-endian. */
export const blobMagic = {
  superBlob: 0xfade0cc0,
  codeDirectory: 0xfade0c02,
  requirements: 0xfade0c01,
  cms: 0xfade0b01,
} as const;

/** Places of a SuperBlob's index. Those from 1 to 11 are covered by a hash of the CodeDirectory each. */
export const slot = { codeDirectory: 0, requirements: 2, cms: 0x10000 } as const;

/** Offsets of a CodeDirectory's fields up to version 0x20400, and the size of them all. */
export const directoryField = {
  ...{ version: 8, flags: 12, hashOffset: 16, identifierOffset: 20, specialSlots: 24, codeSlots: 28 },
  ...{ codeLimit: 32, hashSize: 36, hashType: 37, pageShift: 39 },
  ...{ textOffset: 64, textSize: 72, textFlags: 80, end: 88 },
} as const;

export const directoryVersion = 0x20400;
/** No certificate stands behind the signature. */
export const adHocFlag = 0x2;
/** `CS_EXECSEG_MAIN_BINARY`: the segment is that of a program, not of a library. */
export const mainBinaryFlag = 1n;
/** `CS_HASHTYPE_SHA256` */
export const sha256Type = 2;
/** Pages have 2^12 bytes, whatever the processor. */
export const pageShift = 12;
export const hashSize = 32;

/** A blob: magic number, length of it all, content. */
export function blob(magic: number, content: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(magic, 0);
  head.writeUInt32BE(head.length + content.length, 4);
  return Buffer.concat([head, content]);
}

export function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** The pages of what is signed; the last may be short. */
export function* pagesOf(code: Buffer, shift: number): Generator<Buffer> {
  const size = 2 ** shift;
  for (let start = 0; start < code.length; start += size) yield code.subarray(start, start + size);
}
