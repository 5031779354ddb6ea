/**
 * Name to text of the files in an uncompressed cpio archive of the format newc.
 *
 * @see https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
 */
export function readCpio(archive: Buffer): Map<string, string> {
  const files = new Map<string, string>();
  const padded = (length: number) => length + (-length & 3);
  for (let at = 0; at < archive.length; ) {
    const field = (index: number) =>
      Number.parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    if (archive.toString('latin1', at, at + 6) !== '070701') throw new Error('This is no newc archive.');
    const name = archive.toString('utf8', at + 110, at + 110 + field(11) - 1);
    const data = at + padded(110 + field(11));
    files.set(name, archive.toString('utf8', data, data + field(6)));
    at = data + padded(field(6));
  }
  return files;
}
