import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { openChunk } from './log-chunk.ts';
import { findLogKey } from './log-key.ts';

const chunksAtOnce = 50;
// A watcher that does not read holds as much as is read at once: this and one chunk.
const bytesAtOnce = 256 * 1024;

/**
 * The log from an offset on, as much as there is, in chunks. Offsets count the bytes as they were written. Nothing when
 * the logs were destroyed. Throws when a chunk was changed, moved or taken away in the database.
 */
export async function* readLog(
  context: Pick<ApiContext, 'database' | 'custody'>,
  build: { id: string; project_id: string },
  from: number,
): AsyncGenerator<{ offset: number; data: Buffer }> {
  const key = await findLogKey(context, build.project_id);
  if (key === 'destroyed' || key === 'none') return;
  try {
    yield* readChunks(context.database, build, key, from);
  } finally {
    key.fill(0);
  }
}

async function* readChunks(
  database: Database,
  build: { id: string; project_id: string },
  key: Buffer,
  from: number,
) {
  let offset = from;
  for (;;) {
    const rows = await inTurn(database, () => nextRows(database, build.id, offset));
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

async function nextRows(database: Database, buildId: string, offset: number) {
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

const last = new WeakMap<Database, Promise<unknown>>();

/** One part of a log at a time: many who read would else keep everybody's connections to the database busy with large answers. */
async function inTurn<T>(database: Database, read: () => Promise<T>): Promise<T> {
  const mine = (last.get(database) ?? Promise.resolve()).then(read, read);
  last.set(
    database,
    mine.catch(() => undefined),
  );
  return await mine;
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
