/** TPM 2.0 structures are big-endian and lie one after the other; TPM2B ones carry their length in 16 bits. */
export const u8 = (value: number) => Buffer.from([value]);

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A TPM2B structure. */
export function sized(...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([u16(content.length), content]);
}

/** Reads a structure from its beginning. Every method throws RangeError when the bytes end too soon. */
export interface WireReader {
  u8(): number;
  u16(): number;
  u32(): number;
  bytes(count: number): Buffer;
  /** Content of a TPM2B structure. */
  sized(): Buffer;
  /** How many bytes are left. */
  left(): number;
}

export function readWire(data: Buffer): WireReader {
  let at = 0;
  const bytes = (count: number) => {
    if (at + count > data.length) throw new RangeError('The TPM’s answer ends too soon.');
    at += count;
    return data.subarray(at - count, at);
  };
  const reader: WireReader = {
    u8: () => bytes(1).readUInt8(),
    u16: () => bytes(2).readUInt16BE(),
    u32: () => bytes(4).readUInt32BE(),
    bytes,
    sized: () => bytes(reader.u16()),
    left: () => data.length - at,
  };
  return reader;
}
