import {
  adHocFlag,
  blob,
  blobMagic,
  directoryField,
  directoryVersion,
  hashSize,
  mainBinaryFlag,
  pageShift,
  pagesOf,
  sha256,
  sha256Type,
  slot,
} from './code-signature.ts';
import {
  commandKind,
  header,
  readMachO,
  type Segment,
  segmentCommand,
  signatureCommand,
} from './load-commands.ts';
import { removeSignature } from './remove-signature.ts';

/** Apple's tools have a signature start and end at a multiple of this. */
const signatureAlignment = 16;
/** The larger page of the two processors: 16 KiB on arm64. */
const memoryPage = 0x4000;

/**
 * Signs an executable the way `codesign --sign -` does, without a certificate: macOS on arm64 starts no program that
 * has no signature. One that the file has is replaced. Gives the signed file.
 *
 * @param identifier name of the program in its signature
 * @see https://github.com/apple-oss-distributions/xnu/blob/main/osfmk/kern/cs_blobs.h
 */
export function signAdHoc(executable: Buffer, identifier: string): Buffer {
  const code = padded(removeSignature(executable));
  const { text } = readMachO(code);
  const { length } = padded(signatureOf(code, text, identifier));
  announceSignature(code, length);
  return Buffer.concat([code, padded(signatureOf(code, text, identifier))]);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & (signatureAlignment - 1))]);
}

/** Writes the load command of a signature at the end of the file and has `__LINKEDIT` reach over it. */
function announceSignature(code: Buffer, size: number): void {
  const { commandsEnd, firstSection, linkEdit } = readMachO(code);
  if (commandsEnd + signatureCommand.size > firstSection)
    throw new Error('There is no room for the load command of a signature.');
  code.writeUInt32LE(commandKind.signature, commandsEnd);
  code.writeUInt32LE(signatureCommand.size, commandsEnd + 4);
  code.writeUInt32LE(code.length, commandsEnd + signatureCommand.dataOffset);
  code.writeUInt32LE(size, commandsEnd + signatureCommand.dataSize);
  code.writeUInt32LE(code.readUInt32LE(header.commandCount) + 1, header.commandCount);
  code.writeUInt32LE(code.readUInt32LE(header.commandsSize) + signatureCommand.size, header.commandsSize);
  const segmentSize = code.length + size - linkEdit.offset;
  const memorySize = Math.ceil(segmentSize / memoryPage) * memoryPage;
  code.writeBigUInt64LE(BigInt(segmentSize), linkEdit.command + segmentCommand.fileSize);
  code.writeBigUInt64LE(BigInt(memorySize), linkEdit.command + segmentCommand.memorySize);
}

/** The blobs that codesign writes: no requirements and no certificates, but a place for each. */
function signatureOf(code: Buffer, text: Segment, identifier: string): Buffer {
  const requirements = blob(blobMagic.requirements, Buffer.alloc(4));
  const parts: [number, Buffer][] = [
    [slot.codeDirectory, codeDirectory(code, text, identifier, requirements)],
    [slot.requirements, requirements],
    [slot.cms, blob(blobMagic.cms, Buffer.alloc(0))],
  ];
  const index = Buffer.alloc(4 + 8 * parts.length);
  index.writeUInt32BE(parts.length, 0);
  let offset = 8 + index.length;
  for (const [position, [kind, content]] of parts.entries()) {
    index.writeUInt32BE(kind, 4 + 8 * position);
    index.writeUInt32BE(offset, 8 + 8 * position);
    offset += content.length;
  }
  return blob(blobMagic.superBlob, Buffer.concat([index, ...parts.map(([, content]) => content)]));
}

function codeDirectory(code: Buffer, text: Segment, identifier: string, requirements: Buffer): Buffer {
  const name = Buffer.from(`${identifier}\0`);
  const noInfoFile = Buffer.alloc(hashSize);
  const special = [sha256(requirements), noInfoFile];
  const pages = [...pagesOf(code, pageShift)].map(sha256);
  const fields = Buffer.alloc(directoryField.end);
  fields.writeUInt32BE(directoryVersion, directoryField.version);
  fields.writeUInt32BE(adHocFlag, directoryField.flags);
  const hashOffset = fields.length + name.length + special.length * hashSize;
  fields.writeUInt32BE(hashOffset, directoryField.hashOffset);
  fields.writeUInt32BE(fields.length, directoryField.identifierOffset);
  fields.writeUInt32BE(special.length, directoryField.specialSlots);
  fields.writeUInt32BE(pages.length, directoryField.codeSlots);
  fields.writeUInt32BE(code.length, directoryField.codeLimit);
  fields.writeUInt8(hashSize, directoryField.hashSize);
  fields.writeUInt8(sha256Type, directoryField.hashType);
  fields.writeUInt8(pageShift, directoryField.pageShift);
  fields.writeBigUInt64BE(BigInt(text.offset), directoryField.textOffset);
  fields.writeBigUInt64BE(BigInt(text.size), directoryField.textSize);
  fields.writeBigUInt64BE(mainBinaryFlag, directoryField.textFlags);
  const content = Buffer.concat([fields.subarray(8), name, ...special, ...pages]);
  return blob(blobMagic.codeDirectory, content);
}
