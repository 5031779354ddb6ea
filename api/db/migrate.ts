import { type Kysely, sql } from 'kysely';
import { statements as first } from './migrations/0001-first.ts';
import { statements as sourceHosts } from './migrations/0002-source-hosts.ts';
import { statements as leaseHolders } from './migrations/0003-lease-holders.ts';
import type { Schema } from './schema.ts';

const migrations = [
  { name: '0001-first', statements: first },
  { name: '0002-source-hosts', statements: sourceHosts },
  { name: '0003-lease-holders', statements: leaseHolders },
];

// Any number that nobody else locks; two API processes that start at once must not migrate side by side.
const migrationLock = 3_202_611;

/** Applies the migrations that are missing, all in one transaction. */
export async function migrate(database: Kysely<Schema>): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    await sql`select pg_advisory_xact_lock(${sql.lit(migrationLock)})`.execute(transaction);
    await sql`create table if not exists migration (name text primary key, applied_at timestamptz not null default now())`.execute(
      transaction,
    );
    const applied = await sql<{ name: string }>`select name from migration`.execute(transaction);
    const names = new Set(applied.rows.map((row) => row.name));
    for (const migration of migrations.filter((candidate) => !names.has(candidate.name))) {
      for (const statement of migration.statements) await sql.raw(statement).execute(transaction);
      await sql`insert into migration (name) values (${migration.name})`.execute(transaction);
    }
  });
}
