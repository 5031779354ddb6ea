import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { sealChunk } from './log-chunk.ts';
import { logKeyToWrite } from './log-key.ts';

// A chunk has up to 1 MiB.
const chunksAtOnce = 16;

/**
 * Seals what was logged in the clear before logs were sealed, some chunks a transaction: killed at any moment, it goes on
 * where it was. Several processes at once take different chunks. Resolves with how many were sealed.
 */
export async function sealClearLogs(context: ApiContext, signal: AbortSignal): Promise<number> {
  let sealed = 0;
  for (;;) {
    signal.throwIfAborted();
    const some = await context.database
      .transaction()
      .execute((transaction) => sealSome({ ...context, database: transaction }));
    if (some === 0) return sealed;
    sealed += some;
  }
}

async function sealSome(context: ApiContext): Promise<number> {
  const { database } = context;
  const chunks = await database
    .selectFrom('build_log')
    .innerJoin('build', 'build.id', 'build_log.build_id')
    .select(['build_id as buildId', 'position', 'data', 'build.project_id as projectId'])
    .where('sealed', '=', false)
    .orderBy('build_id')
    .limit(chunksAtOnce)
    .forUpdate('build_log')
    .skipLocked()
    .execute();
  for (const [projectId, ofProject] of Map.groupBy(chunks, (chunk) => chunk.projectId)) {
    const key = await logKeyToWrite(context, projectId);
    for (const chunk of ofProject) await sealOne(database, key, chunk);
    if (key !== 'destroyed') key.fill(0);
  }
  return chunks.length;
}

async function sealOne(
  database: Database,
  key: Buffer | 'destroyed',
  chunk: { projectId: string; buildId: string; position: number; data: Uint8Array },
): Promise<void> {
  if (key === 'destroyed') {
    await database
      .deleteFrom('build_log')
      .where('build_id', '=', chunk.buildId)
      .where('position', '=', chunk.position)
      .execute();
    return;
  }
  await database
    .updateTable('build_log')
    .set({ data: sealChunk(key, chunk.data, chunk), sealed: true })
    .where('build_id', '=', chunk.buildId)
    .where('position', '=', chunk.position)
    .execute();
}
