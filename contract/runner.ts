import { type Static, Type } from 'typebox';
import { Milestone, Phase, phases } from './build.ts';
import { Id } from './id.ts';
import { Moment } from './moment.ts';
import { VmExit, VmReport } from './vm.ts';

/** Where and how the source of a project is cloned, host keys pinned. */
export const CloneSource = Type.Object({
  kind: Type.String({ description: 'Kind of the source host.' }),
  user: Type.String(),
  host: Type.String(),
  port: Type.Integer(),
  path: Type.String(),
  host_keys: Type.Array(Type.String(), { minItems: 1, description: 'Pinned SSH host keys, OpenSSH format.' }),
});
export type CloneSource = Static<typeof CloneSource>;

/** A secret as the API holds it: a compact JWE (RFC 7516) to the project's public key. */
const Sealed = Type.String({ description: 'Compact JWE.' });

/** All that a runner needs for one build. Everything secret in it is sealed. */
export const BuildSpecification = Type.Object({
  build_id: Id('bld', 'Build.'),
  project_id: Id('prj', 'Project.'),
  attempt: Type.Integer(),
  log_offset: Type.Integer({
    description: 'Bytes of log that earlier attempts left; this one writes on from there.',
  }),
  log_limit: Type.Integer({ description: 'How many bytes the log may have, over all attempts.' }),
  token: Type.String({ description: 'JWT, scoped to this build, that the runner reports with.' }),
  branch: Type.String({ description: 'Short name of the branch or tag.' }),
  ref: Type.String({ description: 'Full ref that the commit is looked for in.' }),
  commit: Type.String(),
  clone: CloneSource,
  wrapped_private_key: Type.String({
    description: "The project's private key (JWK), a compact JWE to the key-encryption key.",
  }),
  deploy_key: Type.Object({ public_key: Type.String(), private_key: Sealed }),
  secrets: Type.Array(Type.Object({ name: Type.String(), phases: Type.Array(Phase), value: Sealed })),
  environment: Type.Record(Type.String(), Type.String()),
  steps: Type.Array(Type.Object({ phase: Phase, commands: Type.Array(Type.String()) })),
  timeout_seconds: Type.Integer(),
  image: Type.String(),
  memory_mib: Type.Integer(),
  resume: Type.Optional(
    Type.Object(
      {
        vm_handle: Type.String({ description: 'Compact JWE: what opens the VM that the build runs on.' }),
        log_cursor: Type.Optional(Type.String({ description: 'What came with the last bytes of the log.' })),
        custody_events: Type.Integer({ description: 'How many the attempt reported.' }),
        seconds_left: Type.Integer({ description: 'Of its time limit.' }),
      },
      { description: 'Where to go on, in a build that another runner had.' },
    ),
  ),
});
export type BuildSpecification = Static<typeof BuildSpecification>;

/** POST /v1/builds/{id}/claim */
export const BuildClaim = Type.Object(
  {
    lease_holder: Type.String({
      minLength: 1,
      maxLength: 200,
      description:
        'The name under which the lease is held, used for this claim only. A claim repeated under it gets the same attempt.',
    }),
    takes_over: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
        minItems: 1,
        maxItems: 50,
        description:
          'Who may have held the lease until it ran out, to go on with the attempt where that one left.',
      }),
    ),
    handed_over: Type.Optional(
      Type.Boolean({
        description:
          'With `takes_over`: the last of them gave the build away. Otherwise it counts as lost; a build that is taken over from too many lost runners ends.',
      }),
    ),
  },
  { additionalProperties: false },
);
export type BuildClaim = Static<typeof BuildClaim>;

/** How long a runner holds a build by one renewal of its lease. */
export const leaseMs = 15_000;

/** POST /v1/builds/{id}/heartbeat: renews the lease of a runner to which Redis does not answer. */
export const HeartbeatReport = Type.Object(
  {
    attempt: Type.Integer(),
    place: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 500,
        description: 'From where another runner can take the VM over, once it is shared.',
      }),
    ),
  },
  { additionalProperties: false },
);
export type HeartbeatReport = Static<typeof HeartbeatReport>;

export const LeaseVerdict = Type.Object({
  lease: Type.Enum(['held', 'cancel', 'taken', 'lost'], {
    description:
      '`held` for 15 s from the request on. `cancel`: the build is to end, or is over. `taken`: another runner goes on with the build. `lost`: the attempt is over.',
  }),
});
export type LeaseVerdict = Static<typeof LeaseVerdict>;

/** POST /v1/builds/{id}/milestones: idempotent; the first report of a milestone counts. `vm_ready` needs all of a VM. */
export const MilestoneReport = Type.Object(
  {
    attempt: Type.Integer(),
    milestone: Milestone,
    at: Moment,
    vm: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'Id of the VM, with `vm_ready`.' }),
    ),
    proof: Type.Optional(Type.Unknown({ description: 'What the VM showed of its disks, with `vm_ready`.' })),
    report: Type.Optional(VmReport),
    exit: Type.Optional(VmExit),
    vm_handle: Type.Optional(
      Type.String({
        maxLength: 8192,
        pattern: '^[\\w-]+(\\.[\\w-]*){4}$',
        description:
          'With `checkout_done`: what another runner needs to take the VM over, a compact JWE to the project’s key.',
      }),
    ),
  },
  { additionalProperties: false },
);
export type MilestoneReport = Static<typeof MilestoneReport>;

/** Query of POST /v1/builds/{id}/log, whose body are bytes of the log. */
export const LogAppend = Type.Object({
  attempt: Type.Integer({ minimum: 1 }),
  offset: Type.Integer({ minimum: 0, description: 'Where in the log the bytes belong.' }),
  cursor: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 4000,
      description: 'Where the runner stands behind the bytes, for one that goes on from there.',
    }),
  ),
});
export type LogAppend = Static<typeof LogAppend>;

/** POST /v1/builds/{id}/waiting: why a build that was claimed has no VM yet. */
export const WaitReport = Type.Object(
  {
    attempt: Type.Integer(),
    reason: Type.String({ minLength: 1, maxLength: 2000, description: 'A sentence for the team.' }),
  },
  { additionalProperties: false },
);

/** POST /v1/builds/{id}/phase: which phase begins now; entering `deploy` is answered 409 when it was entered before. */
export const PhaseReport = Type.Object(
  { attempt: Type.Integer(), phase: Type.Enum(['checkout', ...phases]) },
  { additionalProperties: false },
);
export type PhaseReport = Static<typeof PhaseReport>;

/** POST /v1/builds/{id}/finish: how an attempt ended. `lost` is an infrastructure failure that may be retried. */
export const BuildOutcome = Type.Object(
  {
    attempt: Type.Integer(),
    outcome: Type.Enum(['passed', 'failed', 'errored', 'cancelled', 'timed_out', 'lost']),
    reason: Type.Optional(Type.String({ maxLength: 2000 })),
    failed_command: Type.Optional(Type.String({ maxLength: 16_384 })),
    exit_code: Type.Optional(Type.Integer({ minimum: -(2 ** 31), maximum: 2 ** 31 - 1 })),
  },
  { additionalProperties: false },
);
export type BuildOutcome = Static<typeof BuildOutcome>;

/** POST /v1/vm-checks */
export const VmCheck = Type.Object(
  {
    vms: Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
      maxItems: 200,
      description: 'VMs that the runner was given builds for.',
    }),
  },
  { additionalProperties: false },
);

export const VmVerdict = Type.Object({
  ended: Type.Array(Type.String(), {
    description: 'Those whose attempt is over: nothing of theirs counts any more. End them.',
  }),
});
export type VmVerdict = Static<typeof VmVerdict>;
