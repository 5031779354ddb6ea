import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { openChunk } from './log-chunk.ts';
import { findLogKey } from './log-key.ts';
import { inTurn } from './take-turns.ts';

const chunksAtOnce = 50;
const mostBytesAtOnce = 256 * 1024;

/**
 * The log from an offset on, as much as there is, in chunks. Offsets count the bytes as they were written. Nothing when
 * the logs were destroyed. Throws when a chunk was changed, moved or taken away in the database.
 *
 * @param bytesAtOnce a watcher that does not read holds as much as is read at once: this and one chunk
 */
export async function* readLog(
  context: Pick<ApiContext, 'database' | 'custody'>,
  build: { id: string; project_id: string },
  from: number,
  bytesAtOnce = mostBytesAtOnce,
): AsyncGenerator<{ offset: number; data: Buffer }> {
  const key = await inTurn(context.database, build.project_id, () => findLogKey(context, build.project_id));
  if (key === 'destroyed' || key === 'none') return;
  try {
    yield* readChunks(context.database, build, key, { from, bytesAtOnce });
  } finally {
    key.fill(0);
  }
}

async function* readChunks(
  database: Database,
  build: { id: string; project_id: string },
  key: Buffer,
  { from, bytesAtOnce }: { from: number; bytesAtOnce: number },
) {
  let offset = from;
  for (;;) {
    const rows = await inTurn(database, build.project_id, () =>
      nextRows(database, build.id, offset, bytesAtOnce),
    );
    let moved = false;
    for (const { position, data: sealed } of rows) {
      if (position > offset)
        throw new Error(`The log of the build ${build.id} is damaged: nothing lies at ${offset}.`);
      const place = { projectId: build.project_id, buildId: build.id, position };
      const data = openChunk(key, sealed, place).subarray(offset - position);
      if (data.length === 0) continue;
      yield { offset, data };
      offset += data.length;
      moved = true;
    }
    if (!moved) return;
  }
}

async function nextRows(database: Database, buildId: string, offset: number, bytesAtOnce: number) {
  const first = await firstPosition(database, buildId, offset);
  return await database
    .selectFrom('build_log')
    .select(['position', 'data'])
    .where('build_id', '=', buildId)
    .where('position', '>=', first)
    .where('position', '<', first + bytesAtOnce)
    .orderBy('position')
    .limit(chunksAtOnce)
    .execute();
}

/** Where the chunk begins that holds this offset. */
async function firstPosition(database: Database, buildId: string, offset: number): Promise<number> {
  const row = await database
    .selectFrom('build_log')
    .select((select) => select.fn.max('position').as('position'))
    .where('build_id', '=', buildId)
    .where('position', '<=', offset)
    .executeTakeFirst();
  return row?.position ?? 0;
}
