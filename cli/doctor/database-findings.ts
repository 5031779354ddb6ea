import { sql } from 'kysely';
import { connectDatabase, type Database, type DatabaseLocation } from '../../api/db/database.ts';
import { requireMigrated, SchemaError } from '../../api/db/migrate.ts';
import { clockFindings } from './clock-findings.ts';
import type { Finding } from './finding.ts';

/** Asks PostgreSQL how it is set, and changes nothing. PGlite is left closed: it has room for one process. */
export async function databaseFindings(
  location: DatabaseLocation,
  { migrates, now }: { migrates: boolean; now: () => Date },
): Promise<Finding[]> {
  if ('folder' in location) return [embedded(location.folder)];
  try {
    const database = await connectDatabase(location);
    try {
      return await examined(database, migrates, now);
    } finally {
      await database.destroy();
    }
  } catch (error) {
    return [unreachable((error as Error).message)];
  }
}

async function examined(database: Database, migrates: boolean, now: () => Date): Promise<Finding[]> {
  return [
    ...(await schemaFindings(database, migrates)),
    ...(await serverFindings(database)),
    ...(await clockOf(database, now)),
  ];
}

const embedded = (folder: string): Finding => ({
  ...{ code: 'database_is_embedded', severity: 'low' },
  what: `The database is PGlite in ${folder}.`,
  why: 'It has room for one process of the API, no replica, and no backup while the API runs.',
  fix: 'For others than yourself use PostgreSQL 15 or newer: EBB_DATABASE_URL.',
});

const unreachable = (message: string): Finding => ({
  ...{ code: 'database_unreachable', severity: 'high', what: message },
  why: 'The API does not start, and how PostgreSQL is set could not be looked at.',
  fix: 'Start PostgreSQL, or correct the address, and ask again.',
});

async function schemaFindings(database: Database, migrates: boolean): Promise<Finding[]> {
  try {
    await requireMigrated(database);
    return [];
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    return [
      {
        ...{ code: 'migrations_missing', severity: migrates ? 'info' : 'high', what: error.message },
        why: migrates
          ? 'The next start of the API changes the schema, which takes a while on big tables.'
          : 'The API does not start.',
        fix: 'Back the database up and run ebb migrate.',
      },
    ];
  }
}

async function serverFindings(database: Database): Promise<Finding[]> {
  const { rows } = await sql<{ superuser: boolean; fsync: string }>`
    select rolsuper as superuser, current_setting('fsync') as fsync from pg_roles where rolname = current_user
  `.execute(database);
  const { superuser, fsync } = rows[0] ?? {};
  return [...(fsync === 'off' ? [withoutFsync] : []), ...(superuser ? [asSuperuser] : [])];
}

const withoutFsync: Finding = {
  ...{ code: 'database_without_fsync', severity: 'high' },
  what: 'PostgreSQL runs with fsync off.',
  why: 'After a power cut the database may be broken: builds that were accepted, audit and receipts are gone.',
  fix: 'Set fsync = on in postgresql.conf and reload it.',
};

const asSuperuser: Finding = {
  ...{ code: 'database_as_superuser', severity: 'medium' },
  what: "EBB_DATABASE_URL's user is a superuser of PostgreSQL.",
  why: 'Who gets the URL, or finds a way to run SQL, can run programs and read files on the machine of the database.',
  fix: 'Make a user that owns the database of Ebb and nothing else.',
};

async function clockOf(database: Database, now: () => Date): Promise<Finding[]> {
  const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(database);
  return rows[0] ? clockFindings('PostgreSQL', rows[0].now, now()) : [];
}
