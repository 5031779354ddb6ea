/** A PE32+ file with one section `.text` of 512 bytes, and room in its header for `room` more. */
export function makeStub(room: number): Buffer {
  const headerBytes = 512;
  const file = Buffer.alloc(headerBytes + 512);
  const peAt = headerBytes - 24 - 112 - 40 * (1 + room);
  file.write('MZ', 0, 'latin1');
  file.writeUInt32LE(peAt, 0x3c);
  file.write('PE\0\0', peAt, 'latin1');
  file.writeUInt16LE(1, peAt + 6);
  file.writeUInt16LE(112, peAt + 20);
  file.writeUInt16LE(0x20b, peAt + 24);
  file.writeUInt32LE(512, peAt + 24 + 36);
  file.writeUInt32LE(headerBytes, peAt + 24 + 60);
  const section = peAt + 24 + 112;
  file.write('.text', section, 'latin1');
  for (const [offset, value] of [
    [8, 300],
    [12, 0x1000],
    [16, 512],
    [20, headerBytes],
  ] as const)
    file.writeUInt32LE(value, section + offset);
  file.fill(0x90, headerBytes);
  return file;
}
