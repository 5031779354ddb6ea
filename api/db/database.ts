import { mkdir } from 'node:fs/promises';
import { PGlite } from '@electric-sql/pglite';
import { Kysely, PGliteDialect, PostgresDialect, type RawBuilder, sql } from 'kysely';
import pg from 'pg';
import { lockFolder } from '../../contract/folder-lock.ts';
import { postgresNeedsTls } from '../../contract/transport-security.ts';
import { UnreachableError } from '../../contract/unreachable-error.ts';
import { verifiedTls } from '../../contract/verified-tls.ts';
import { impatientClient } from './impatient-client.ts';
import { migrate } from './migrate.ts';
import type { Schema } from './schema.ts';

export type Database = Kysely<Schema>;

/**
 * Either a PostgreSQL server by URL or PGlite in a folder (`memory://` for none), the same SQL on both. `ca` holds the
 * certificates to trust, PEM, when the server's is not from a public authority; `loadFrom` what a new PGlite begins with.
 */
export type DatabaseLocation = { url: string; ca?: string } | { folder: string; loadFrom?: Blob };

const statementMs = 30_000;
// A little longer than the server lets a statement run.
const answerMs = 35_000;
// Of a migration, whose limits it sets itself.
const migrationAnswerMs = 11 * 60_000;

/** Opens the database and brings its schema up to date. The caller ends it with `destroy()`. */
export async function openDatabase(location: DatabaseLocation): Promise<Database> {
  if ('url' in location) {
    await migrateDatabase(location);
    return await connectDatabase(location);
  }
  const database = await connectDatabase(location);
  try {
    await migrate(database);
  } catch (error) {
    await database.destroy();
    throw error;
  }
  return database;
}

/** Brings the schema of the database up to date, on connections of its own; gives the names of what was applied. */
export async function migrateDatabase(location: DatabaseLocation): Promise<string[]> {
  const database = await connectDatabase(location, { answerMs: migrationAnswerMs });
  try {
    return await migrate(database);
  } finally {
    await database.destroy();
  }
}

/**
 * Opens the database as it is. The caller ends it with `destroy()`. PGlite's folder is locked until then.
 * Throws FolderInUseError when another process has it open, and UnreachableError when PostgreSQL does not answer within 10 s or its certificate is not to be trusted.
 *
 * @param options.answerMs how long PostgreSQL may take to answer a query before its connection is given up
 */
export async function connectDatabase(location: DatabaseLocation, options = { answerMs }): Promise<Database> {
  if ('folder' in location) return await openFolder(location);
  const database = new Kysely<Schema>({ dialect: serverDialect(location, options) });
  try {
    await sql`select 1`.execute(database);
    return database;
  } catch (error) {
    await database.destroy();
    const { hostname, port, searchParams } = new URL(location.url);
    throw new UnreachableError(
      'PostgreSQL',
      `${searchParams.get('host') ?? hostname}:${port || 5432}`,
      'EBB_DATABASE_URL and EBB_DATABASE_CA',
      error as Error,
    );
  }
}

async function openFolder({ folder, loadFrom }: { folder: string; loadFrom?: Blob }): Promise<Database> {
  const options = loadFrom ? { loadDataDir: loadFrom } : {};
  const open = () =>
    new Kysely<Schema>({ dialect: new PGliteDialect({ pglite: new PGlite(folder, options) }) });
  if (folder.startsWith('memory://')) return open();
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const unlock = await lockFolder(folder);
  const database = open();
  const destroy = database.destroy.bind(database);
  database.destroy = async () => {
    await destroy();
    await unlock();
  };
  return database;
}

function serverDialect(location: { url: string; ca?: string }, options: { answerMs: number }) {
  const pool = new pg.Pool({
    ...connectionOptions(location),
    Client: impatientClient(options.answerMs),
    max: 10,
    connectionTimeoutMillis: 10_000,
    statement_timeout: statementMs,
    idle_in_transaction_session_timeout: 60_000,
    // So that routers on the way do not forget a connection, and one whose other end is gone is noticed while it rests.
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
  });
  // A connection that breaks while idle is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => {});
  // So would one that breaks between two statements of a transaction; the next statement fails, and the pool drops it.
  pool.on('connect', (client) => client.on('error', () => {}));
  return new PostgresDialect({ pool });
}

/** With `sslmode` in the URL the driver would ignore `ssl`: https://node-postgres.com/features/ssl */
function connectionOptions({ url, ca }: { url: string; ca?: string }): pg.PoolConfig {
  const ssl = postgresNeedsTls(url, ca !== undefined) && verifiedTls(ca);
  const address = new URL(url);
  address.searchParams.delete('sslmode');
  return { connectionString: address.href, ssl };
}

/** A value for a jsonb column. */
export function json<T>(value: T): RawBuilder<T> {
  return sql<T>`${JSON.stringify(value)}::jsonb`;
}
