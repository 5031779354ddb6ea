import { Command } from 'commander';
import type { Build } from '../../contract/build.ts';
import { type Client, clientFromEnvironment } from '../client.ts';
import { findProject } from '../find-by-name.ts';
import { followBuild } from '../follow-build.ts';

/** `ebb build PROJECT`: builds a branch's head and follows it; exits 0 only when it passed. */
export function buildCommand(): Command {
  return new Command('build')
    .description('Start a build and follow its log. The exit code is 0 when it passed, else 1.')
    .argument('<project>', 'team/project, or an id such as prj_…')
    .option('-b, --branch <branch>', "branch to build; the project's default branch when absent")
    .option('-d, --detach', 'print the id of the build and do not wait for it')
    .action(async (project: string, options: { branch?: string; detach?: boolean }) => {
      const client = clientFromEnvironment(process.env);
      const { id: project_id } = await findProject(client, project);
      const build = await client.post<Build>('/v1/builds', {
        project_id,
        ...(options.branch ? { branch: options.branch } : {}),
      });
      console.log(build.id);
      if (!options.detach) process.exitCode = await showBuild(client, build.id);
    });
}

/** Prints the log as it comes. Resolves with the exit code that tells how the build ended. */
export async function showBuild(client: Client, id: string): Promise<number> {
  const log = (text: string) => void process.stdout.write(text);
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
        console.error(`ebb: ${reason}`);
      },
    },
    AbortSignal.timeout(24 * 3_600_000),
  );
  console.error(`ebb: build ${build.number} ${build.state}${build.reason ? `: ${build.reason}` : ''}`);
  return build.state === 'passed' ? 0 : 1;
}
