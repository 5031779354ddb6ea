import { type Static, Type } from 'typebox';
import { BranchName, Id } from './id.ts';
import { project } from './project.ts';

const { environment, setup, test, deploy, image, memory_mib, timeout_minutes } = project.changeable;

/** GET /v1/access-grants/{id}/projects/{project}/environment: how a project is built. No secret, nor its name. */
export const BuildEnvironment = Type.Object({
  project_id: Id('prj', 'The project.'),
  ...{ environment, setup, test, deploy, image, memory_mib, timeout_minutes },
});
export type BuildEnvironment = Static<typeof BuildEnvironment>;

/** POST /v1/access-grants/{id}/projects/{project}/source-runs: commands to run on a commit. */
export const SourceRun = Type.Object(
  {
    commit: Type.String({ pattern: '^[0-9a-f]{40}$', description: 'Full id of the commit.' }),
    branch: Type.Optional(BranchName("Branch that holds it; the project's default branch when absent.")),
    commands: Type.Array(Type.String({ minLength: 1, maxLength: 2000 }), {
      minItems: 1,
      maxItems: 10,
      description: 'Commands, each run by `bash -eo pipefail`. The team sees them in its audit.',
    }),
  },
  { additionalProperties: false },
);
export type SourceRun = Static<typeof SourceRun>;
