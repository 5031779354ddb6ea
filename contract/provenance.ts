import { type Static, Type } from 'typebox';
import { buildStates, Phase, type phases, triggers } from './build.ts';

/** @see https://slsa.dev/spec/v1.0/provenance */
export const provenancePredicateType = 'https://slsa.dev/provenance/v1';

/** How Ebb builds, and what the parameters mean: docs/build-type.md. */
export const buildType = 'https://ebb.dev/build-type/v1';

const Time = Type.String({ format: 'date-time' });
const Commands = Type.Array(Type.String());
const Named = Type.Object({ id: Type.String(), name: Type.String() });

export const GitCommit = Type.String({
  pattern: '^([0-9a-f]{40}|[0-9a-f]{64})$',
  description: 'SHA-1 or SHA-256 of a Git commit, in-toto’s digest `gitCommit`.',
});

const Digest = Type.Record(Type.String(), Type.String({ pattern: '^[0-9a-f]+$' }));
const Described = {
  name: Type.String(),
  uri: Type.Optional(Type.String()),
  mediaType: Type.Optional(Type.String()),
  annotations: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
};
/** @see https://github.com/in-toto/attestation/blob/main/spec/v1/resource_descriptor.md */
const ResourceDescriptor = Type.Object({ ...Described, digest: Digest });
export type ResourceDescriptor = Static<typeof ResourceDescriptor>;
/** Without a digest where what it names was destroyed before it was signed; then `ebb_destroyed_at` says when. */
const Byproduct = Type.Object({ ...Described, digest: Type.Optional(Digest) });
export type Byproduct = Static<typeof Byproduct>;

/** What a team declared, as it was given to the runner. Of secrets and environment the names alone. */
const Declared = {
  repository: Type.String({ description: 'Where the source was cloned from, such as ssh://git@host/path.' }),
  commands: Type.Object({ setup: Commands, test: Commands, deploy: Commands } satisfies Record<
    (typeof phases)[number],
    typeof Commands
  >),
  image: Type.String({ description: 'Recipe of the VM’s image.' }),
  environment: Type.Array(Type.String()),
  secrets: Type.Array(Type.Object({ name: Type.String(), phases: Type.Array(Phase) })),
};
const Limits = { memoryMib: Type.Integer(), timeoutSeconds: Type.Integer() };

/** What is kept of a build's specification when a runner takes it, for its provenance. */
export const BuildParameters = Type.Object({ ...Declared, ...Limits });
export type BuildParameters = Static<typeof BuildParameters>;

/** Complete but for values; fields that nobody knows are refused, as SLSA asks of verifiers. */
const ExternalParameters = Type.Object(
  { ...Declared, ref: Type.String(), commit: GitCommit },
  { additionalProperties: false },
);

/** SLSA's names are in camel case; what is Ebb's own begins with `ebb_`, as its rule for extensions says. */
export const ProvenancePredicate = Type.Object({
  buildDefinition: Type.Object({
    buildType: Type.Literal(buildType),
    externalParameters: ExternalParameters,
    internalParameters: Type.Object({
      ...Limits,
      attempt: Type.Integer(),
      trigger: Type.Enum([...triggers]),
    }),
    resolvedDependencies: Type.Array(ResourceDescriptor, { minItems: 1 }),
  }),
  runDetails: Type.Object({
    builder: Type.Object({
      id: Type.String({ description: 'Public address of this Ebb.' }),
      version: Type.Record(Type.String(), Type.String()),
    }),
    metadata: Type.Object({
      invocationId: Type.String({ description: 'Build and attempt: bld_…/1.' }),
      startedOn: Time,
      finishedOn: Time,
      ebb_build: Type.Object({
        id: Type.String(),
        number: Type.Integer(),
        project: Named,
        team: Named,
        vm: Type.Union([Type.String(), Type.Null()]),
        state: Type.Enum([...buildStates]),
        failedCommand: Type.Union([Type.String(), Type.Null()]),
        exitCode: Type.Union([Type.Integer(), Type.Null()]),
        signedOn: Time,
      }),
    }),
    byproducts: Type.Array(Byproduct),
  }),
});
export type ProvenancePredicate = Static<typeof ProvenancePredicate>;
