import { type Static, Type } from 'typebox';
import { BranchName, Id, Timestamp } from './id.ts';

/** Phases whose commands a project declares, in the order they run. Checkout comes before them. */
export const phases = ['setup', 'test', 'deploy'] as const;
export const Phase = Type.Enum([...phases], { description: 'Phase of a build.' });
export type Phase = (typeof phases)[number];

export const buildStates = [
  'awaiting_approval',
  'queued',
  'starting',
  'running',
  'passed',
  'failed',
  'errored',
  'cancelled',
  'timed_out',
] as const;
export type BuildState = (typeof buildStates)[number];

/** States that a build never leaves. */
export const finalStates: readonly BuildState[] = ['passed', 'failed', 'errored', 'cancelled', 'timed_out'];

/** Moments of a build that its runner reports, in the order they happen. */
export const milestones = ['vm_ready', 'checkout_done', 'first_step', 'vm_gone'] as const;
export const Milestone = Type.Enum([...milestones]);
export type Milestone = (typeof milestones)[number];

/** What starts builds. */
export const triggers = ['push', 'tag', 'pull_request', 'api', 'support'] as const;
export type Trigger = (typeof triggers)[number];

const PullRequest = Type.Object(
  {
    number: Type.Integer(),
    from_fork: Type.Boolean({
      description: 'Whether others than those who may push wrote it: such a build has no secrets.',
    }),
  },
  { description: 'The pull or merge request that is built.' },
);

/** What of a project's builds comes first, from the lowest to the highest priority. */
export const priorities = { lowest: -100, highest: 100 } as const;

const When = (description: string) => Type.Union([Timestamp(description), Type.Null()]);

/** One run of a project's commands on a fresh VM. */
export const Build = Type.Object({
  id: Id('bld', 'Identifier of the build.'),
  project_id: Id('prj', 'Project that is built.'),
  number: Type.Integer({ description: 'Counts the builds of the project from 1.' }),
  state: Type.Enum([...buildStates], {
    description:
      '`awaiting_approval` is a pull request from a fork that a maintainer has not let in yet. `failed` is the fault of a command, `errored` is not, `timed_out` means that the time limit was reached.',
  }),
  reason: Type.Union([Type.String(), Type.Null()], {
    description: 'A sentence for people: why the build waits or ended as it did, and what to do.',
  }),
  trigger: Type.Enum([...triggers], {
    description:
      "What started it. `support` is a run of the core crew's commands under an access grant, without secrets.",
  }),
  access_grant_id: Type.Union([Type.String(), Type.Null()], {
    description: 'The access grant that it was run under, when its trigger is `support`.',
  }),
  ref: Type.String({ description: 'Full ref that is built, such as `refs/heads/main` or `refs/tags/v1`.' }),
  branch: Type.String({
    description: 'Short name of the branch or tag; of a pull request, the branch that it comes from.',
  }),
  pull_request: Type.Union([PullRequest, Type.Null()]),
  priority: Type.Integer({
    description:
      'Of builds of a project that wait, the one of the highest priority is next. Of a push it is 0.',
  }),
  commit: Type.String({ description: 'Full id of the commit.' }),
  message: Type.String({ description: "First line of the commit's message, when the source host told it." }),
  attempt: Type.Integer({ description: 'How many VMs this build was given so far.' }),
  phase: Type.Union([Type.Enum(['checkout', ...phases]), Type.Null()], {
    description: 'The phase it is in or ended in.',
  }),
  failed_command: Type.Union([Type.String(), Type.Null()]),
  exit_code: Type.Union([Type.Integer(), Type.Null()]),
  vm: Type.Union([Type.String(), Type.Null()], {
    description: 'Identifier of the VM, used for this build only.',
  }),
  queued_at: Timestamp('When the build was accepted.'),
  started_at: When('When a runner took it.'),
  vm_ready_at: When('When its VM answered and had proven that it has no disk.'),
  checkout_done_at: When('When the source was in the VM and the deploy key was closed.'),
  first_step_at: When('When the first command began.'),
  finished_at: When('When it reached its final state.'),
  vm_gone_at: When('When its VM was gone.'),
});
export type Build = Static<typeof Build>;

/** POST /v1/builds: build the head of a branch, or one commit of it. */
export const BuildCreation = Type.Object(
  {
    project_id: Id('prj', 'Project to build.'),
    branch: Type.Optional(BranchName("Branch; the project's default branch when absent.")),
    commit: Type.Optional(
      Type.String({
        pattern: '^[0-9a-f]{40}$',
        description: 'Full commit id; the head of the branch when absent.',
      }),
    ),
    priority: Type.Optional(
      Type.Integer({
        minimum: priorities.lowest,
        maximum: priorities.highest,
        description: 'Higher comes earlier among the builds of the project that wait; 0 when absent.',
      }),
    ),
  },
  { additionalProperties: false },
);
export type BuildCreation = Static<typeof BuildCreation>;

/** One event of `GET /v1/builds/{id}/events` (server-sent events): part of the log, with its byte offset. */
export const LogEvent = Type.Object({ offset: Type.Integer(), text: Type.String() });
export type LogEvent = Static<typeof LogEvent>;
