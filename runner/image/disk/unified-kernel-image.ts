/** One part of a unified kernel image, such as `.cmdline`. */
export interface Section {
  /** At most 8 characters. */
  name: string;
  data: Buffer;
}

const sectionHeaderBytes = 40;
const pageBytes = 4096;
// Initialized data that can be read and nothing else.
const readOnlyData = 0x4000_0040;

/**
 * Appends sections to the boot stub of systemd, which finds them by their names: one PE program that firmware starts.
 * The same input gives the same bytes.
 *
 * @param stub the file linuxx64.efi.stub
 * @throws RangeError when this is no PE32+ file, or its header has no room for more sections
 * @see https://uapi-group.org/specifications/specs/unified_kernel_image/
 * @see https://learn.microsoft.com/en-us/windows/win32/debug/pe-format
 */
export function unifiedKernelImage(stub: Buffer, sections: readonly Section[]): Buffer {
  const layout = readLayout(stub);
  const tableEnd = layout.tableAt + (layout.count + sections.length) * sectionHeaderBytes;
  if (tableEnd > layout.headerBytes)
    throw new RangeError(`The boot stub has no room for ${sections.length} more sections.`);
  const header = Buffer.from(stub.subarray(0, layout.headerBytes));
  const parts = [header, stub.subarray(layout.headerBytes, layout.fileEnd)];
  let fileAt = roundUp(layout.fileEnd, layout.fileAlignment);
  parts.push(Buffer.alloc(fileAt - layout.fileEnd));
  let address = roundUp(layout.memoryEnd, pageBytes);
  for (const [index, { name, data }] of sections.entries()) {
    const at = layout.tableAt + (layout.count + index) * sectionHeaderBytes;
    const stored = roundUp(data.length, layout.fileAlignment);
    header.write(name.padEnd(8, '\0'), at, 'latin1');
    header.writeUInt32LE(data.length, at + 8);
    header.writeUInt32LE(address, at + 12);
    header.writeUInt32LE(stored, at + 16);
    header.writeUInt32LE(fileAt, at + 20);
    header.writeUInt32LE(readOnlyData, at + 36);
    parts.push(data, Buffer.alloc(stored - data.length));
    fileAt += stored;
    address = roundUp(address + data.length, pageBytes);
  }
  header.writeUInt16LE(layout.count + sections.length, layout.peAt + 6);
  header.writeUInt32LE(address, layout.peAt + 24 + 56);
  return Buffer.concat(parts);
}

/** The sections of a PE file, with their contents. */
export function readSections(file: Buffer): Section[] {
  const { tableAt, count } = readLayout(file);
  return Array.from({ length: count }, (_, index) => {
    const at = tableAt + index * sectionHeaderBytes;
    const name = file.toString('latin1', at, at + 8).replace(/\0+$/, '');
    const start = file.readUInt32LE(at + 20);
    return { name, data: file.subarray(start, start + file.readUInt32LE(at + 8)) };
  });
}

function readLayout(file: Buffer) {
  const peAt = file.length > 64 && file.toString('latin1', 0, 2) === 'MZ' ? file.readUInt32LE(0x3c) : 0;
  const magic = peAt === 0 ? 0 : file.readUInt16LE(peAt + 24);
  if (file.toString('latin1', peAt, peAt + 4) !== 'PE\0\0' || magic !== 0x20b)
    throw new RangeError('The boot stub is no PE32+ file.');
  const count = file.readUInt16LE(peAt + 6);
  const tableAt = peAt + 24 + file.readUInt16LE(peAt + 20);
  const ends = Array.from({ length: count }, (_, index) => {
    const at = tableAt + index * sectionHeaderBytes;
    return {
      memory: file.readUInt32LE(at + 12) + file.readUInt32LE(at + 8),
      file: file.readUInt32LE(at + 20) + file.readUInt32LE(at + 16),
    };
  });
  return {
    ...{ peAt, tableAt, count },
    fileAlignment: file.readUInt32LE(peAt + 24 + 36),
    headerBytes: file.readUInt32LE(peAt + 24 + 60),
    memoryEnd: Math.max(...ends.map(({ memory }) => memory)),
    fileEnd: Math.max(...ends.map(({ file }) => file)),
  };
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
