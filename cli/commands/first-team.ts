import { Command } from 'commander';
import { readDatabaseConfiguration } from '../../api/configuration.ts';
import { connectDatabase } from '../../api/db/database.ts';
import { requireMigrated } from '../../api/db/migrate.ts';
import { firstStart } from '../../api/teams/first-start.ts';
import { showFirstKeys } from '../first-keys.ts';

/** `ebb first-team`: for where the API does not prepare the database itself, since its output is kept in a log. */
export function firstTeamCommand(): Command {
  return new Command('first-team')
    .description('Make the first team and show its API keys, once. EBB_TEAM is its name.')
    .action(async () => {
      const { location, teamName } = readDatabaseConfiguration(process.env);
      const database = await connectDatabase(location);
      try {
        await requireMigrated(database);
        const keys = await firstStart(database, { teamName, now: new Date() });
        console.log(
          keys ? showFirstKeys(keys) : 'ebb: there is a team already; its keys are not shown again',
        );
      } finally {
        await database.destroy();
      }
    });
}
