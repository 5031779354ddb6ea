import { PGlite } from '@electric-sql/pglite';
import { Kysely, PGliteDialect, PostgresDialect, type RawBuilder, sql } from 'kysely';
import pg from 'pg';
import { migrate } from './migrate.ts';
import type { Schema } from './schema.ts';

export type Database = Kysely<Schema>;

/** Either a PostgreSQL server by URL or PGlite in a folder (`memory://` for none), the same SQL on both. */
export type DatabaseLocation = { url: string } | { folder: string };

/**
 * Opens the database and brings its schema up to date. The caller ends it with `destroy()`.
 * Throws what PostgreSQL says when it cannot be reached within 10 s.
 */
export async function openDatabase(location: DatabaseLocation): Promise<Database> {
  const database = new Kysely<Schema>({ dialect: dialectFor(location) });
  try {
    await migrate(database);
  } catch (error) {
    await database.destroy();
    throw error;
  }
  return database;
}

function dialectFor(location: DatabaseLocation) {
  if ('folder' in location) return new PGliteDialect({ pglite: new PGlite(location.folder) });
  const pool = new pg.Pool({
    connectionString: location.url,
    max: 10,
    connectionTimeoutMillis: 10_000,
    statement_timeout: 30_000,
    idle_in_transaction_session_timeout: 60_000,
  });
  // A connection that breaks while idle is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => {});
  return new PostgresDialect({ pool });
}

/** A value for a jsonb column. */
export function json<T>(value: T): RawBuilder<T> {
  return sql<T>`${JSON.stringify(value)}::jsonb`;
}
