import { Type } from 'typebox';
import { BranchName, Id, Name, Timestamp } from './id.ts';
import { type Creation, defineResource, type Representation } from './resource.ts';

const Command = Type.String({
  minLength: 1,
  maxLength: 16_384,
  description: 'A command, run by `bash -eo pipefail`.',
});

const EnvironmentName = '^[A-Za-z_][A-Za-z0-9_]*$';

/** What is built, from where, and by which commands. */
export const project = defineResource({
  name: 'project',
  path: '/v1/projects',
  description:
    'A repository and the commands that build it. Destroying it revokes everything Ebb holds for it.',
  naturalId: ['name'],
  computed: {
    id: Id('prj', 'Identifier of the project.'),
    team: Type.String({ description: 'Name of the team that owns the project.' }),
    created_at: Timestamp('When the project was made.'),
  },
  fixed: {
    connection_id: Id('conn', 'Connection to the source host that holds the repository.'),
    name: Name('Name of the project, unique in the team.'),
    repository: Type.String({
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$',
      maxLength: 200,
      description: 'Path of the repository at the source host, without `.git`: `shop` or `acme/shop`.',
    }),
  },
  changeable: {
    default_branch: Type.Optional(
      BranchName('Branch that a build takes when none is named.', { default: 'main' }),
    ),
    setup: Type.Optional(
      Type.Array(Command, {
        default: [],
        maxItems: 100,
        description: 'Commands that prepare the checkout, such as installing dependencies.',
      }),
    ),
    test: Type.Optional(
      Type.Array(Command, {
        default: [],
        maxItems: 100,
        description: 'Commands that must succeed for the build to pass.',
      }),
    ),
    deploy: Type.Optional(
      Type.Array(
        Type.Object(
          {
            branch: Type.String({
              minLength: 1,
              maxLength: 200,
              description: 'Branch that this deployment is for, exactly.',
            }),
            commands: Type.Array(Command, {
              minItems: 1,
              maxItems: 100,
              description: 'Commands that deploy, run once, never retried.',
            }),
          },
          { additionalProperties: false },
        ),
        {
          default: [],
          maxItems: 100,
          description: 'Deployments, run after the tests of the branches they name.',
        },
      ),
    ),
    environment: Type.Optional(
      Type.Record(Type.String({ pattern: EnvironmentName }), Type.String({ maxLength: 16_384 }), {
        default: {},
        description:
          'Environment variables of every command. They are not secret: use `ebb_secret` for what is.',
      }),
    ),
    timeout_minutes: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 360,
        default: 60,
        description: 'Minutes a build may take from its start before it is stopped.',
      }),
    ),
    concurrency: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 100,
        default: 1,
        description: 'How many builds of this project may run at once.',
      }),
    ),
    cancel_intermediate_builds: Type.Optional(
      Type.Enum(['none', 'waiting', 'running'], {
        default: 'none',
        description:
          'Which builds a newer push to the same branch, tag or pull request cancels: those that wait, or those that run, too. Never one whose deployment has begun, and none that was asked for by request.',
      }),
    ),
    image: Type.Optional(
      Type.Enum(['base', 'node'], {
        default: 'base',
        description:
          'Ramdisk image that the VM boots: `base`, or `node` with Node.js 18 and npm of Debian too, which needs 1536 MiB.',
      }),
    ),
    memory_mib: Type.Optional(
      Type.Integer({
        minimum: 640,
        maximum: 65_536,
        default: 1024,
        description: 'Memory of the VM in MiB. All files of a build live in it.',
      }),
    ),
  },
  writeOnly: {},
});

export type Project = Required<Representation<typeof project>>;
export type ProjectCreation = Creation<typeof project>;
