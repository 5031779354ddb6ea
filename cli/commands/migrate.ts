import { Command } from 'commander';
import { readDatabaseConfiguration } from '../../api/configuration.ts';
import { migrateDatabase } from '../../api/db/database.ts';

/** `ebb migrate`: brings the database's schema up to date, before a release that needs it starts. */
export function migrateCommand(): Command {
  return new Command('migrate')
    .description(
      'Bring the schema of the database up to date and say what was done. Can be repeated, and run by several at once.',
    )
    .action(async () => {
      const { location } = readDatabaseConfiguration(process.env);
      const applied = await migrateDatabase(location);
      for (const name of applied) console.log(`ebb: applied ${name}`);
      if (applied.length === 0) console.log('ebb: the schema is up to date');
    });
}
