import { createHash } from 'node:crypto';
import type { ApiContext } from '../context.ts';
import { whenLogsDestroyed } from '../logs/log-key.ts';
import { readLog } from '../logs/read-log.ts';

/** SHA-256 in hexadecimal and length in bytes; or when the log was destroyed, which is nobody's to vouch for then. */
export type LogDigest = { sha256: string; bytes: number } | { destroyedAt: Date };

/**
 * The digest over a build's log as readers get it. Read the way that readers do, so that it does not depend on how the
 * log is stored; a log that grows later still begins with these bytes. Throws when bytes that were written are missing.
 */
export async function logDigest(
  context: Pick<ApiContext, 'database' | 'custody'>,
  build: { id: string; project_id: string; log_size: number },
): Promise<LogDigest> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const { data } of readLog(context, build, 0)) {
    hash.update(data);
    bytes += data.length;
  }
  // Asked afterwards: it may have been destroyed while it was read.
  const destroyedAt = await whenLogsDestroyed(context, build.project_id);
  if (destroyedAt) return { destroyedAt };
  if (bytes < build.log_size)
    throw new Error(
      `The log of the build ${build.id} is damaged: of ${build.log_size} bytes ${bytes} are there.`,
    );
  return { sha256: hash.digest('hex'), bytes };
}
