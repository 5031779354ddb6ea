import { Command } from 'commander';
import type { Build } from '../../contract/build.ts';
import { clientFromEnvironment } from '../client.ts';
import { showBuild } from './build.ts';

/** `ebb approve BUILD`: lets in a pull request from a fork, and follows its build. */
export function approveCommand(): Command {
  return new Command('approve')
    .description('Let a pull request from a fork be built: this commit, without secrets and deployments.')
    .argument('<build>', 'id of the build, bld_…')
    .option('-d, --detach', 'do not wait for it')
    .action(async (id: string, options: { detach?: boolean }) => {
      const client = clientFromEnvironment(process.env);
      const build = await client.post<Build>(`/v1/builds/${encodeURIComponent(id)}/approve`);
      console.log(build.id);
      if (!options.detach) process.exitCode = await showBuild(client, build.id);
    });
}
