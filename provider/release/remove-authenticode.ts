const peOffset = 0x3c;
const peSignature = 0x00004550;
/** Offsets from the start of the PE signature, for PE32+. */
const field = { optionalMagic: 24, checksum: 88, certificateTable: 168 } as const;
const pe32Plus = 0x20b;

/**
 * A copy of a 64-bit Windows program without its certificate table, as `signtool remove` leaves it, and without the
 * checksum, which Windows looks at for drivers alone. Throws when something stands after the table.
 *
 * @see https://learn.microsoft.com/windows/win32/debug/pe-format#the-attribute-certificate-table-image-only
 */
export function removeAuthenticode(program: Buffer): Buffer {
  const pe = program.readUInt32LE(peOffset);
  if (program.readUInt32LE(pe) !== peSignature || program.readUInt16LE(pe + field.optionalMagic) !== pe32Plus)
    throw new Error('This is no 64-bit program for Windows.');
  const start = program.readUInt32LE(pe + field.certificateTable);
  const size = program.readUInt32LE(pe + field.certificateTable + 4);
  if (size === 0) return Buffer.from(program);
  if (start + size !== program.length) throw new Error('The certificate table does not end the file.');
  const unsigned = Buffer.from(program.subarray(0, start));
  unsigned.writeUInt32LE(0, pe + field.checksum);
  unsigned.fill(0, pe + field.certificateTable, pe + field.certificateTable + 8);
  return unsigned;
}
