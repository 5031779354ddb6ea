/** Something that was measured: its digest was taken into a register. */
export interface BootEvent {
  pcr: number;
  /** Number of the specification, such as 0x80000003 for a started program. */
  type: number;
  /** SHA-256. */
  digest: Buffer;
  /** What is said about it; nothing vouches for that. */
  data: Buffer;
}

const sha256 = 0x0b;
const noAction = 3;
const signature = 'Spec ID Event03\0';

/**
 * Reads a TCG event log in the crypto-agile form.
 *
 * @throws RangeError when it is cut off, malformed or has no SHA-256
 * @see https://trustedcomputinggroup.org/resource/pc-client-specific-platform-firmware-profile-specification/ 10.2
 */
export function parseEventLog(log: Buffer): BootEvent[] {
  let at = 0;
  const take = (count: number) => {
    if (at + count > log.length) throw new RangeError('The event log ends too soon.');
    at += count;
    return log.subarray(at - count, at);
  };
  const u32 = () => take(4).readUInt32LE();
  // The first entry has the old form: register, kind, SHA-1, and it names the algorithms of the others.
  take(28);
  const sizes = readAlgorithms(take(u32()));
  const events: BootEvent[] = [];
  while (at < log.length) {
    const [pcr, type] = [u32(), u32()];
    let digest: Buffer | undefined;
    for (let left = u32(); left > 0; left--) {
      const algorithm = take(2).readUInt16LE();
      const size = sizes.get(algorithm);
      if (size === undefined) throw new RangeError('The event log holds a digest of an unknown kind.');
      const value = take(size);
      if (algorithm === sha256) digest = value;
    }
    const data = take(u32());
    if (!digest) throw new RangeError('The event log has no SHA-256.');
    // These are remarks that no register took in.
    if (type !== noAction) events.push({ pcr, type, digest, data });
  }
  return events;
}

function readAlgorithms(header: Buffer): Map<number, number> {
  if (header.toString('latin1', 0, 16) !== signature || header.length < 28)
    throw new RangeError('The event log does not begin as one.');
  const count = header.readUInt32LE(24);
  const sizes = new Map<number, number>();
  for (let at = 28; sizes.size < count && at + 4 <= header.length; at += 4)
    sizes.set(header.readUInt16LE(at), header.readUInt16LE(at + 2));
  return sizes;
}
