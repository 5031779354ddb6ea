import { createHash } from 'node:crypto';
import type { ApiContext } from '../context.ts';
import { readLog } from '../logs/read-log.ts';

/**
 * SHA-256 in hexadecimal over a build's log as readers get it, and its length in bytes. Read the way that readers do,
 * so that it does not depend on how the log is stored; a log that grows later still begins with these bytes.
 */
export async function logDigest(
  context: Pick<ApiContext, 'database' | 'custody'>,
  build: { id: string; project_id: string },
): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const { data } of readLog(context, build, 0)) {
    hash.update(data);
    bytes += data.length;
  }
  return { sha256: hash.digest('hex'), bytes };
}
