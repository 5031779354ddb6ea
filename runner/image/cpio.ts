export interface CpioEntry {
  /** Path without a leading slash. */
  path: string;
  /** File type and permission bits, as in `st_mode`. */
  mode: number;
  uid?: number;
  gid?: number;
  /** Entries with the same number are one file; its data comes with the first of them. */
  inode: number;
  links?: number;
  /** Seconds since 1970. */
  modifiedAt?: number;
  data?: Buffer;
}

export const fileType = { regular: 0o100000, folder: 0o040000, link: 0o120000 } as const;

const trailer = 'TRAILER!!!';
const maxDataBytes = 0xffffffff;

/**
 * One member of an initramfs in the "newc" format: header, name and data, each padded to four bytes.
 *
 * @see https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
 */
export function cpioEntry(entry: CpioEntry): Buffer {
  const { path, mode, uid = 0, gid = 0, inode, links = 1, modifiedAt = 0, data = Buffer.alloc(0) } = entry;
  if (data.length > maxDataBytes)
    throw new RangeError(`${path} is larger than 4 GiB; cpio has no way to say so.`);
  const name = Buffer.from(`${path}\0`);
  const fields = [inode, mode, uid, gid, links, modifiedAt, data.length, 0, 0, 0, 0, name.length, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  return Buffer.concat([padded(Buffer.concat([Buffer.from(header), name])), padded(data)]);
}

/** Ends an archive. */
export function cpioTrailer(): Buffer {
  return cpioEntry({ path: trailer, mode: 0, inode: 0 });
}

function padded(bytes: Buffer): Buffer {
  const missing = -bytes.length & 3;
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)]);
}
