import type { Database } from '../db/database.ts';

const chunksAtOnce = 50;

/** The log from an offset on, as much as there is, in chunks. */
export async function* readLog(
  database: Database,
  buildId: string,
  from: number,
): AsyncGenerator<{ offset: number; data: Buffer }> {
  let offset = from;
  for (;;) {
    const rows = await database
      .selectFrom('build_log')
      .select(['position', 'data'])
      .where('build_id', '=', buildId)
      .where('position', '>=', await firstPosition(database, buildId, offset))
      .orderBy('position')
      .limit(chunksAtOnce)
      .execute();
    let moved = false;
    for (const row of rows) {
      const data = Buffer.from(row.data).subarray(Math.max(0, offset - row.position));
      if (data.length === 0) continue;
      yield { offset, data };
      offset += data.length;
      moved = true;
    }
    if (!moved) return;
  }
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
