import { commandKind, executableType, header, headerSize, magic64, segmentCommand } from './load-commands.ts';

const segmentSize = 72;
const sectionSize = 80;
const codeOffset = 0x1000;
const linkEditOffset = 0x3000;
const fileSize = 0x3805;

/** A Mach-O executable of four pages, the last short: `__TEXT` with one section of code, and `__LINKEDIT`. */
export function smallExecutable(): Buffer {
  const file = Buffer.alloc(fileSize);
  for (let at = codeOffset; at < file.length; at += 1) file[at] = at % 251;
  file.writeUInt32LE(magic64, header.magic);
  file.writeUInt32LE(executableType, header.fileType);
  file.writeUInt32LE(2, header.commandCount);
  file.writeUInt32LE(2 * segmentSize + sectionSize, header.commandsSize);
  const text = headerSize;
  writeSegment(file, text, { name: '__TEXT', offset: 0, size: linkEditOffset, sections: 1 });
  file.writeUInt32LE(codeOffset, text + segmentCommand.sections + 48);
  const linkEdit = text + segmentSize + sectionSize;
  const rest = { offset: linkEditOffset, size: fileSize - linkEditOffset, sections: 0 };
  writeSegment(file, linkEdit, { name: '__LINKEDIT', ...rest });
  return file;
}

function writeSegment(
  file: Buffer,
  at: number,
  segment: { name: string; offset: number; size: number; sections: number },
): void {
  file.writeUInt32LE(commandKind.segment, at);
  file.writeUInt32LE(segmentSize + segment.sections * sectionSize, at + 4);
  file.write(segment.name, at + segmentCommand.name, 'latin1');
  file.writeBigUInt64LE(BigInt(segment.offset), at + segmentCommand.fileOffset);
  file.writeBigUInt64LE(BigInt(segment.size), at + segmentCommand.fileSize);
  file.writeUInt32LE(segment.sections, at + segmentCommand.sectionCount);
}
