import { createHash } from 'node:crypto';

/** Hash of the registers: of Ebb's own TPMs, and of NitroTPM's documents. */
export type PcrHash = 'sha256' | 'sha384';

/**
 * The hash by which firmware measures a PE32+ program before it starts it, and by which it is signed: the file without
 * its checksum, its certificates and their entry in the header, sections in the order of the file.
 *
 * @throws RangeError when this is no PE32+ file
 * @see https://download.microsoft.com/download/9/c/5/9c5b2167-8017-4bae-9fde-d599bac8184a/Authenticode_PE.docx
 */
export function authenticodeDigest(file: Buffer, pcrHash: PcrHash = 'sha256'): Buffer {
  const peAt = file.length > 64 ? file.readUInt32LE(0x3c) : 0;
  if (file.toString('latin1', 0, 2) !== 'MZ' || file.readUInt16LE(peAt + 24) !== 0x20b)
    throw new RangeError('This is no PE32+ file.');
  const optionalAt = peAt + 24;
  const checksumAt = optionalAt + 64;
  const certificateEntryAt = optionalAt + 144;
  const headerBytes = file.readUInt32LE(optionalAt + 60);
  const certificateBytes = file.readUInt32LE(certificateEntryAt + 4);
  const hash = createHash(pcrHash)
    .update(file.subarray(0, checksumAt))
    .update(file.subarray(checksumAt + 4, certificateEntryAt))
    .update(file.subarray(certificateEntryAt + 8, headerBytes));
  let hashed = headerBytes;
  for (const { at, bytes } of rawSections(file, peAt)) {
    hash.update(file.subarray(at, at + bytes));
    hashed += bytes;
  }
  return hash.update(file.subarray(hashed, file.length - certificateBytes)).digest();
}

function rawSections(file: Buffer, peAt: number): { at: number; bytes: number }[] {
  const tableAt = peAt + 24 + file.readUInt16LE(peAt + 20);
  return Array.from({ length: file.readUInt16LE(peAt + 6) }, (_, index) => ({
    at: file.readUInt32LE(tableAt + index * 40 + 20),
    bytes: file.readUInt32LE(tableAt + index * 40 + 16),
  }))
    .filter(({ bytes }) => bytes > 0)
    .sort((a, b) => a.at - b.at);
}
