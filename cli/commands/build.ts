import { Command, InvalidArgumentError } from 'commander';
import { type Build, priorities } from '../../contract/build.ts';
import { type Client, clientFromEnvironment } from '../client.ts';
import { findProject } from '../find-by-name.ts';
import { followBuild } from '../follow-build.ts';
import { createTerminalLog, printable } from '../printable.ts';

interface Options {
  branch?: string;
  priority?: number;
  detach?: boolean;
}

const { lowest, highest } = priorities;
const priorityRule = `from ${lowest} to ${highest}: higher comes earlier among the builds of the project that wait`;

/** `ebb build PROJECT`: builds a branch's head and follows it; exits 0 only when it passed. */
export function buildCommand(): Command {
  return new Command('build')
    .description('Start a build and follow its log. The exit code is 0 when it passed, else 1.')
    .argument('<project>', 'team/project, or an id such as prj_…')
    .option('-b, --branch <branch>', "branch to build; the project's default branch when absent")
    .option('-p, --priority <number>', priorityRule, toPriority)
    .option('-d, --detach', 'print the id of the build and do not wait for it')
    .action(async (project: string, options: Options) => {
      const client = clientFromEnvironment(process.env);
      const { id: project_id } = await findProject(client, project);
      const build = await client.post<Build>('/v1/builds', {
        project_id,
        ...(options.branch ? { branch: options.branch } : {}),
        ...(options.priority === undefined ? {} : { priority: options.priority }),
      });
      console.log(build.id);
      if (!options.detach) process.exitCode = await showBuild(client, build.id);
    });
}

function toPriority(text: string): number {
  const priority = Number(text);
  if (Number.isInteger(priority) && priority >= lowest && priority <= highest) return priority;
  throw new InvalidArgumentError(`It must be a whole number from ${lowest} to ${highest}.`);
}

/**
 * Prints the log as it comes: to a terminal what cannot steer it, to a file or pipe as it was written. Resolves with the
 * exit code that tells how the build ended.
 */
export async function showBuild(
  client: Client,
  id: string,
  output: Pick<NodeJS.WriteStream, 'isTTY' | 'write'> = process.stdout,
): Promise<number> {
  const terminal = output.isTTY ? createTerminalLog() : undefined;
  const log = (text: string) => void output.write(terminal ? terminal.write(text) : text);
  let told = '';
  const build = await followBuild(
    client,
    id,
    {
      log,
      build({ state, reason }) {
        // Once a runner has it, its log says what it waits for.
        if (state !== 'queued' || reason === null || reason === told) return;
        told = reason;
        console.error(`ebb: ${printable(reason)}`);
      },
    },
    AbortSignal.timeout(24 * 3_600_000),
  );
  if (terminal) output.write(terminal.end());
  console.error(
    printable(`ebb: build ${build.number} ${build.state}${build.reason ? `: ${build.reason}` : ''}`),
  );
  return build.state === 'passed' ? 0 : 1;
}
