/** Where things are in a 64-bit Mach-O file, as offsets in bytes. Numbers and layouts are those of Apple's `mach-o/loader.h`. */
export interface MachO {
  /** `__TEXT`, the segment with the code. */
  text: Segment;
  /** `__LINKEDIT`, the last segment: what the loader needs, and at its end the signature. */
  linkEdit: Segment;
  signature?: { command: number; offset: number; size: number };
  /** First byte after the load commands. */
  commandsEnd: number;
  /** First byte of a section: up to here the load commands may grow. */
  firstSection: number;
}

export interface Segment {
  /** Offset of its load command. */
  command: number;
  offset: number;
  size: number;
}

export const headerSize = 32;
/** Offsets of fields from the start of the file. */
export const header = { magic: 0, fileType: 12, commandCount: 16, commandsSize: 20 } as const;
/** Offsets of fields from the start of a `segment_command_64`. */
export const segmentCommand = {
  ...{ name: 8, memorySize: 32, fileOffset: 40, fileSize: 48, sectionCount: 64, sections: 72 },
} as const;
/** Offsets of fields from the start of a `linkedit_data_command`, and its size. */
export const signatureCommand = { dataOffset: 8, dataSize: 12, size: 16 } as const;
export const commandKind = { segment: 0x19, signature: 0x1d } as const;
export const magic64 = 0xfeedfacf;
export const executableType = 2;

const sectionSize = 80;
const sectionFileOffset = 48;

/**
 * Reads the load commands. Throws for anything but a 64-bit little-endian executable for one processor.
 *
 * @see https://github.com/apple-oss-distributions/xnu/blob/main/EXTERNAL_HEADERS/mach-o/loader.h
 */
export function readMachO(file: Buffer): MachO {
  if (file.length < headerSize || file.readUInt32LE(header.magic) !== magic64)
    throw new Error('This is no Mach-O file for one 64-bit processor.');
  if (file.readUInt32LE(header.fileType) !== executableType) throw new Error('This Mach-O is no executable.');
  const commandsEnd = headerSize + file.readUInt32LE(header.commandsSize);
  const segments = new Map<string, Segment>();
  let signature: MachO['signature'];
  let firstSection = file.length;
  for (const { kind, at } of loadCommands(file)) {
    if (kind === commandKind.signature) {
      const [offset, size] = [signatureCommand.dataOffset, signatureCommand.dataSize].map((field) =>
        file.readUInt32LE(at + field),
      ) as [number, number];
      signature = { command: at, offset, size };
    } else if (kind === commandKind.segment) {
      segments.set(nameOf(file, at), segmentAt(file, at));
      firstSection = Math.min(firstSection, ...sectionOffsets(file, at));
    }
  }
  const [text, linkEdit] = [segments.get('__TEXT'), segments.get('__LINKEDIT')];
  if (!text || !linkEdit) throw new Error('The Mach-O has no __TEXT or no __LINKEDIT.');
  return { text, linkEdit, commandsEnd, firstSection, ...(signature && { signature }) };
}

function* loadCommands(file: Buffer): Generator<{ kind: number; at: number }> {
  let at = headerSize;
  for (let left = file.readUInt32LE(header.commandCount); left > 0; left -= 1) {
    yield { kind: file.readUInt32LE(at), at };
    at += file.readUInt32LE(at + 4);
  }
}

function nameOf(file: Buffer, command: number): string {
  const start = command + segmentCommand.name;
  return file.toString('latin1', start, start + 16).replace(/\0.*$/s, '');
}

function segmentAt(file: Buffer, command: number): Segment {
  const [offset, size] = [segmentCommand.fileOffset, segmentCommand.fileSize].map((field) =>
    Number(file.readBigUInt64LE(command + field)),
  ) as [number, number];
  return { command, offset, size };
}

/** Those of sections that have bytes in the file; zero-filled ones have the offset 0. */
function sectionOffsets(file: Buffer, command: number): number[] {
  const count = file.readUInt32LE(command + segmentCommand.sectionCount);
  const first = command + segmentCommand.sections;
  return Array.from({ length: count }, (_, index) =>
    file.readUInt32LE(first + index * sectionSize + sectionFileOffset),
  ).filter((offset) => offset > 0);
}
