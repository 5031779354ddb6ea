import {
  adHocFlag,
  blobMagic,
  directoryField as field,
  pagesOf,
  sha256,
  sha256Type,
  slot,
} from './code-signature.ts';
import { readMachO } from './load-commands.ts';

export interface CodeSignature {
  identifier: string;
  /** Whether no certificate stands behind it. */
  adHoc: boolean;
  /** How many pages were compared with their hashes. */
  pages: number;
  /** How many other blobs (requirements, entitlements) were compared with theirs. */
  blobs: number;
}

/**
 * Compares an executable with its code signature: every page of 4096 bytes and every blob that the signature covers,
 * by SHA-256. Throws naming what differs. A certificate, if there is one, is not looked at.
 *
 * @see https://github.com/apple-oss-distributions/xnu/blob/main/osfmk/kern/cs_blobs.h
 */
export function verifySignature(executable: Buffer): CodeSignature {
  const { signature, text } = readMachO(executable);
  if (!signature) throw new Error('The executable has no signature.');
  const blobs = readBlobs(executable.subarray(signature.offset, signature.offset + signature.size));
  const directory = blobs.get(slot.codeDirectory);
  if (!directory || directory.readUInt32BE(0) !== blobMagic.codeDirectory)
    throw new Error('The signature has no CodeDirectory.');
  if (directory.readUInt8(field.hashType) !== sha256Type)
    throw new Error('The signature has other hashes than SHA-256.');
  if (directory.readUInt32BE(field.codeLimit) !== signature.offset)
    throw new Error('The signature does not cover all that is before it.');
  if (Number(directory.readBigUInt64BE(field.textSize)) !== text.size)
    throw new Error('The signature has another __TEXT.');
  const pages = verifyPages(executable.subarray(0, signature.offset), directory);
  return {
    identifier: cString(directory, directory.readUInt32BE(field.identifierOffset)),
    adHoc: (directory.readUInt32BE(field.flags) & adHocFlag) !== 0,
    pages,
    blobs: verifyBlobs(blobs, directory),
  };
}

/** The blobs of a SuperBlob by their slot. */
function readBlobs(signature: Buffer): Map<number, Buffer> {
  if (signature.readUInt32BE(0) !== blobMagic.superBlob) throw new Error('The signature is no SuperBlob.');
  const blobs = new Map<number, Buffer>();
  for (let entry = 0; entry < signature.readUInt32BE(8); entry += 1) {
    const offset = signature.readUInt32BE(16 + 8 * entry);
    const length = signature.readUInt32BE(offset + 4);
    blobs.set(signature.readUInt32BE(12 + 8 * entry), signature.subarray(offset, offset + length));
  }
  return blobs;
}

function verifyPages(code: Buffer, directory: Buffer): number {
  let page = 0;
  for (const bytes of pagesOf(code, directory.readUInt8(field.pageShift))) {
    if (!hashAt(directory, page).equals(sha256(bytes)))
      throw new Error(`Page ${page} differs from its hash.`);
    page += 1;
  }
  if (page !== directory.readUInt32BE(field.codeSlots)) throw new Error('The signature has more pages.');
  return page;
}

/** Hashes of blobs stand before those of pages, backwards from the slot 1. */
function verifyBlobs(blobs: Map<number, Buffer>, directory: Buffer): number {
  let count = 0;
  for (let kind = 1; kind <= directory.readUInt32BE(field.specialSlots); kind += 1) {
    const content = blobs.get(kind);
    if (!content) continue;
    if (!hashAt(directory, -kind).equals(sha256(content)))
      throw new Error(`Blob ${kind} differs from its hash.`);
    count += 1;
  }
  return count;
}

function hashAt(directory: Buffer, position: number): Buffer {
  const size = directory.readUInt8(field.hashSize);
  const start = directory.readUInt32BE(field.hashOffset) + position * size;
  return directory.subarray(start, start + size);
}

function cString(bytes: Buffer, start: number): string {
  return bytes.toString('utf8', start, bytes.indexOf(0, start));
}
