import { existsSync } from 'node:fs';
import { connectDatabase, type Database, type DatabaseLocation } from '../api/db/database.ts';
import { requireMigrated } from '../api/db/migrate.ts';
import { CliError } from './cli-error.ts';

/**
 * Opens the database that an API has made, for a command that makes none; the caller ends it with `destroy()`. Throws a
 * CliError when there is none in the folder, and what `connectDatabase` and `requireMigrated` throw.
 */
export async function openMadeDatabase(location: DatabaseLocation): Promise<Database> {
  if ('folder' in location && !existsSync(location.folder))
    throw new CliError(
      `There is no database in ${location.folder}. Set EBB_DATABASE_URL or EBB_DATA_DIR to what the API has.`,
    );
  const database = await connectDatabase(location);
  try {
    await requireMigrated(database);
    return database;
  } catch (error) {
    await database.destroy();
    throw error;
  }
}
