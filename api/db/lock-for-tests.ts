import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Database } from './database.ts';

/** Resolves when a transaction waits for what another one has locked; for PostgreSQL. */
export async function untilSomebodyWaits(database: Database): Promise<void> {
  for (;;) {
    const { rows } = await sql`select 1 from pg_locks where not granted`.execute(database);
    if (rows.length > 0) return;
    await sleep(10);
  }
}
