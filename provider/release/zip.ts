import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';

export interface ZipEntry {
  name: string;
  content: Buffer;
  /** Permissions, as chmod has them. */
  mode: number;
}

const regularFile = 0o100000;

/** A ZIP archive that has nothing of the time or machine that made it. */
export async function zipOf(entries: ZipEntry[]): Promise<Buffer> {
  const zip = new ZipFile();
  // Any fixed time will do. Archives have local time, so that this gives the same bytes whatever the time zone.
  const mtime = new Date(2000, 0, 1);
  for (const { name, content, mode } of entries)
    zip.addBuffer(content, name, { mode: regularFile | mode, mtime, forceDosTimestamp: true });
  zip.end();
  return buffer(zip.outputStream);
}
