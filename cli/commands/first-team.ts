import { Command } from 'commander';
import { firstStart } from '../../api/teams/first-start.ts';
import { showFirstKeys } from '../first-keys.ts';
import { withOperatorContext } from '../operator-context.ts';

/** `ebb first-team`: for where the API does not prepare the database itself, since its output is kept in a log. */
export function firstTeamCommand(): Command {
  return new Command('first-team')
    .description('Make the first team and show its API keys, once. EBB_TEAM is its name.')
    .action(() =>
      withOperatorContext(async (context, teamName) => {
        const keys = await firstStart(context, { teamName });
        console.log(
          keys ? showFirstKeys(keys) : 'ebb: there is a team already; its keys are not shown again',
        );
      }),
    );
}
