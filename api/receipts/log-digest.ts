import { createHash } from 'node:crypto';
import { readLog } from '../builds/read-log.ts';
import type { Database } from '../db/database.ts';

/**
 * SHA-256 in hexadecimal over a build's log as readers get it, and its length in bytes. Read the way that readers do,
 * so that it does not depend on how the log is stored; a log that grows later still begins with these bytes.
 */
export async function logDigest(
  database: Database,
  buildId: string,
): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const { data } of readLog(database, buildId, 0)) {
    hash.update(data);
    bytes += data.length;
  }
  return { sha256: hash.digest('hex'), bytes };
}
