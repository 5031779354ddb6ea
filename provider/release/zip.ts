import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';

export interface ZipEntry {
  name: string;
  content: Buffer;
  /** Permissions, as chmod has them. */
  mode: number;
}

const regularFile = 0o100000;
/** The archive's clock starts here. It has local time, so this is the same whatever the time zone. */
const noTime = new Date(1980, 0, 1);

/** A ZIP archive that has nothing of the time or machine that made it. */
export async function zipOf(entries: ZipEntry[]): Promise<Buffer> {
  const zip = new ZipFile();
  for (const { name, content, mode } of entries)
    zip.addBuffer(content, name, { mode: regularFile | mode, mtime: noTime, forceDosTimestamp: true });
  zip.end();
  return buffer(zip.outputStream);
}
