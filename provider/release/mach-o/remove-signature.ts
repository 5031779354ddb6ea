import { header, readMachO, segmentCommand, signatureCommand } from './load-commands.ts';

/**
 * A copy of an executable without its signature, as `codesign --remove-signature` leaves it: the load command is gone
 * and so are the bytes at the end. Throws when something stands after the signature.
 */
export function removeSignature(executable: Buffer): Buffer {
  const { signature, linkEdit, commandsEnd } = readMachO(executable);
  if (!signature) return Buffer.from(executable);
  if (signature.offset + signature.size !== executable.length)
    throw new Error('The signature does not end the file.');
  const unsigned = Buffer.from(executable.subarray(0, signature.offset));
  unsigned.copyWithin(signature.command, signature.command + signatureCommand.size, commandsEnd);
  unsigned.fill(0, commandsEnd - signatureCommand.size, commandsEnd);
  unsigned.writeUInt32LE(unsigned.readUInt32LE(header.commandCount) - 1, header.commandCount);
  unsigned.writeUInt32LE(
    unsigned.readUInt32LE(header.commandsSize) - signatureCommand.size,
    header.commandsSize,
  );
  const size = BigInt(signature.offset - linkEdit.offset);
  unsigned.writeBigUInt64LE(size, linkEdit.command + segmentCommand.fileSize);
  return unsigned;
}
