import { Command } from 'commander';
import { clientFromEnvironment } from '../client.ts';
import { findBuild } from '../find-by-name.ts';
import { showBuild } from './build.ts';

/** `ebb logs BUILD`: the log so far, and what is still to come. */
export function logsCommand(): Command {
  return new Command('logs')
    .description(
      "Show a build's log and follow it to its end. The exit code is 0 when the build passed, else 1.",
    )
    .argument('<build>', 'id of the build, bld_…, or team/project for its last one')
    .action(async (build: string) => {
      const client = clientFromEnvironment(process.env);
      process.exitCode = await showBuild(client, await findBuild(client, build));
    });
}
