import type { ApiContext } from '../context.ts';
import { ProblemError } from '../http/problem-error.ts';

const limitBytes = 64 * 1024 * 1024;

/**
 * Appends bytes to a build's log at an offset. Bytes that are there already are skipped, so that a repeated call
 * changes nothing; a gap is 409 and says where the log ends.
 */
export async function appendLog(
  context: ApiContext,
  buildId: string,
  offset: number,
  data: Buffer,
): Promise<void> {
  if (offset + data.length > limitBytes) {
    throw new ProblemError(413, 'log_limit', `A log may have ${limitBytes / 1024 / 1024} MiB. Print less.`);
  }
  await context.database.transaction().execute(async (transaction) => {
    const { log_size } = await transaction
      .selectFrom('build')
      .select('log_size')
      .where('id', '=', buildId)
      .forUpdate()
      .executeTakeFirstOrThrow();
    if (offset > log_size) {
      throw new ProblemError(
        409,
        'log_gap',
        `The log ends at ${log_size}; bytes from ${offset} would leave a gap.`,
      );
    }
    const fresh = data.subarray(log_size - offset);
    if (fresh.length === 0) return;
    await transaction
      .insertInto('build_log')
      .values({ build_id: buildId, position: log_size, data: fresh })
      .execute();
    await transaction
      .updateTable('build')
      .set({ log_size: log_size + fresh.length })
      .where('id', '=', buildId)
      .execute();
  });
  await context.queue.announce(buildId).catch(() => undefined);
}
