import { Command, InvalidArgumentError } from 'commander';
import type { BuildState } from '../../contract/build.ts';
import { clientFromEnvironment } from '../client.ts';
import { findProject, lastBuilds } from '../find-by-name.ts';
import { printable } from '../printable.ts';

const waitingStates: readonly BuildState[] = ['queued', 'starting'];

/** `ebb builds PROJECT`: the last builds, a line each. */
export function buildsCommand(): Command {
  return new Command('builds')
    .description('List the last builds of a project, the newest first.')
    .argument('<project>', 'team/project, or an id such as prj_…')
    .option('-n, --limit <number>', 'how many, at most 200', toLimit, 20)
    .action(async (name: string, { limit }: { limit: number }) => {
      const client = clientFromEnvironment(process.env);
      const { id } = await findProject(client, name);
      const builds = await lastBuilds(client, id, limit);
      for (const { id: build, number, state, reason, trigger, branch, commit, message } of builds) {
        const columns = [build, `#${number}`, state, trigger, branch, commit.slice(0, 12), message];
        if (reason !== null && waitingStates.includes(state)) columns.push(reason);
        console.log(printable(columns.join('  ').trimEnd()));
      }
      if (builds.length === 0) console.error(`ebb: ${name} has no build yet`);
    });
}

function toLimit(text: string): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= 200) return limit;
  throw new InvalidArgumentError('It must be a whole number from 1 to 200.');
}
