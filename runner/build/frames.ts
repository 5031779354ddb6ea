/** What the image's `step` says: see there. */
export interface Frame {
  kind: string;
  payload: Buffer;
}

const headerBytes = 5;
// The image sends 64 KiB at most; whoever says more is not the image.
const maxPayloadBytes = 1024 * 1024;

/** Takes frames out of a stream of bytes, however they are split over chunks. Throws RangeError when one is too long. */
export function createFrameReader(): (chunk: Buffer) => Frame[] {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const frames: Frame[] = [];
    while (rest.length >= headerBytes) {
      const length = rest.readUInt32BE(1);
      if (length > maxPayloadBytes) throw new RangeError(`The VM sent a frame of ${length} bytes.`);
      if (rest.length < headerBytes + length) break;
      const payload = rest.subarray(headerBytes, headerBytes + length);
      frames.push({ kind: String.fromCharCode(rest[0] as number), payload });
      rest = rest.subarray(headerBytes + length);
    }
    return frames;
  };
}
