import type { LogAppend } from '../../contract/runner.ts';
import { requireAttempt, requireLease } from '../builds/require-attempt.ts';
import type { ApiContext } from '../context.ts';
import { ProblemError } from '../http/problem-error.ts';
import { sealChunk } from './log-chunk.ts';
import { logKeyToWrite } from './log-key.ts';

/** How many bytes the log of a build may have, over all its attempts. */
export const logLimitBytes = 64 * 1024 * 1024;

/**
 * Appends bytes to a build's log at an offset, sealed to its project. Bytes that are there already are skipped, so that a
 * repeated call changes nothing; `cursor`, where the runner stood behind them, is kept with them. What comes after the
 * logs were destroyed is counted and not kept. Throws 409 `old_attempt` when another attempt writes by now, 409
 * `taken_over` when another runner does, 409 `log_gap` with where the log ends, and 413 `log_limit`.
 */
export async function appendLog(
  context: ApiContext,
  { id: buildId, project_id: projectId }: { id: string; project_id: string },
  { attempt, offset, cursor, leaseHolder }: LogAppend & { leaseHolder?: string | undefined },
  data: Buffer,
): Promise<void> {
  if (offset + data.length > logLimitBytes) {
    const limit = `${logLimitBytes / 1024 / 1024} MiB`;
    throw new ProblemError(413, 'log_limit', `A log may have ${limit}. Print less.`);
  }
  const key = await logKeyToWrite(context, projectId);
  try {
    await context.database.transaction().execute(async (transaction) => {
      const { log_size, ...build } = await transaction
        .selectFrom('build')
        .select(['log_size', 'attempt', 'lease_holder'])
        .where('id', '=', buildId)
        .forUpdate()
        .executeTakeFirstOrThrow();
      // Under the row's lock: from the moment the next attempt is claimed, this one writes nothing more.
      requireAttempt(build, attempt);
      requireLease(build, { attempt, leaseHolder });
      if (offset > log_size) throw gap(log_size, offset);
      const fresh = data.subarray(log_size - offset);
      // A call that comes again, late, knows less than is known already.
      if (fresh.length === 0) return;
      if (key !== 'destroyed') {
        const sealed = sealChunk(key, fresh, { projectId, buildId, position: log_size });
        await transaction
          .insertInto('build_log')
          .values({ build_id: buildId, position: log_size, data: sealed })
          .execute();
      }
      await transaction
        .updateTable('build')
        .set({ log_size: log_size + fresh.length, ...(cursor && { log_cursor: cursor }) })
        .where('id', '=', buildId)
        .execute();
    });
  } finally {
    if (key !== 'destroyed') key.fill(0);
  }
  await context.queue.announce(buildId).catch(() => undefined);
}

function gap(end: number, offset: number): ProblemError {
  return new ProblemError(409, 'log_gap', `The log ends at ${end}; bytes from ${offset} would leave a gap.`);
}
