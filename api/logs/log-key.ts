import { randomBytes } from 'node:crypto';
import type { ApiContext } from '../context.ts';
import { openBytes, sealBytes } from '../custody/aes-gcm.ts';
import { ProblemError } from '../http/problem-error.ts';

type Parts = Pick<ApiContext, 'database' | 'custody'>;

const purpose = (projectId: string) => `ebb log key ${projectId}`;

/**
 * The key of a project's logs, 32 bytes, which the caller wipes. `none` when nothing was ever logged, `destroyed` when the
 * project was revoked. Throws when the key cannot be opened.
 */
export async function findLogKey(
  { database, custody }: Parts,
  projectId: string,
): Promise<Buffer | 'none' | 'destroyed'> {
  const row = await database
    .selectFrom('project')
    .select(['wrapped_log_key', 'logs_destroyed_at'])
    .where('id', '=', projectId)
    .executeTakeFirst();
  if (!row || row.logs_destroyed_at) return 'destroyed';
  if (!row.wrapped_log_key) return 'none';
  const wrappingKey = custody.logWrappingKey(projectId);
  try {
    return openBytes(wrappingKey, row.wrapped_log_key, purpose(projectId));
  } catch {
    throw new Error(
      `The log key of the project ${projectId} cannot be opened. Was the API's master key changed?`,
    );
  } finally {
    wrappingKey.fill(0);
  }
}

/** The same for who writes: a project that has no key yet is given one, and of several makers the first one's counts. */
export async function logKeyToWrite(parts: Parts, projectId: string): Promise<Buffer | 'destroyed'> {
  const found = await findLogKey(parts, projectId);
  if (found !== 'none') return found;
  const key = randomBytes(32);
  const wrappingKey = parts.custody.logWrappingKey(projectId);
  const wrapped = sealBytes(wrappingKey, key, purpose(projectId));
  wrappingKey.fill(0);
  const mine = await parts.database
    .updateTable('project')
    .set({ wrapped_log_key: wrapped })
    .where('id', '=', projectId)
    .where('wrapped_log_key', 'is', null)
    .where('logs_destroyed_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  if (mine) return key;
  key.fill(0);
  return await logKeyToWrite(parts, projectId);
}

/** When the logs of this project were destroyed with its secrets; null while they can be read. */
export async function whenLogsDestroyed(
  { database }: Pick<ApiContext, 'database'>,
  projectId: string,
): Promise<Date | null> {
  const project = await database
    .selectFrom('project')
    .select('logs_destroyed_at')
    .where('id', '=', projectId)
    .executeTakeFirst();
  return project?.logs_destroyed_at ?? null;
}

/** Throws 410 when the logs of this project were destroyed with its secrets. */
export async function requireLogs(context: Pick<ApiContext, 'database'>, projectId: string): Promise<void> {
  const destroyedAt = await whenLogsDestroyed(context, projectId);
  if (!destroyedAt) return;
  const detail = `The project was revoked, and the key of its logs was destroyed with it at ${destroyedAt.toISOString()}. Nobody can read them any more; the build and its receipt can still be read.`;
  throw new ProblemError(410, 'log_destroyed', detail);
}
