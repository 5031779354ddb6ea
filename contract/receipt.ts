import { type Static, Type } from 'typebox';
import { PageQuery } from './page.ts';

/**
 * A signed statement in an envelope. Payload: an in-toto Statement v1 as base64.
 *
 * @see https://github.com/secure-systems-lab/dsse/blob/master/envelope.md
 */
export const DsseEnvelope = Type.Object({
  payloadType: Type.Literal('application/vnd.in-toto+json'),
  payload: Type.String({ description: 'Base64 of the statement.' }),
  signatures: Type.Array(
    Type.Object({
      keyid: Type.String(),
      sig: Type.String({ description: 'Base64 of the Ed25519 signature.' }),
    }),
  ),
});
export type DsseEnvelope = Static<typeof DsseEnvelope>;

export const revocationPredicateType = 'https://ebb.dev/receipts/revocation/v1';

export const connectionRevocationPredicateType = 'https://ebb.dev/receipts/connection-revocation/v1';
export const teamRevocationPredicateType = 'https://ebb.dev/receipts/team-revocation/v1';

/** One step of a revocation, when it was done and how long that took. */
export const RevocationStep = Type.Object({
  step: Type.Enum([
    'claims_and_tokens_stopped',
    'builds_cancelled',
    'hook_removed',
    'deploy_key_removed',
    'absence_confirmed',
    // In the place of the last one: a person stated it, and the source host did not let Ebb see.
    'absence_stated',
    // In its place as well: the source host shows no such repository, deleted or hidden, so Ebb has seen nothing gone.
    'absence_not_seen',
    'secrets_destroyed',
    // Of a connection.
    'projects_revoked',
    'credential_ended_at_source_host',
    'credential_destroyed',
    // Of a team.
    'connections_revoked',
    'api_keys_ended',
  ]),
  at: Type.String({ format: 'date-time', description: 'When it was done.' }),
  detail: Type.String(),
  began_at: Type.Optional(Type.String({ format: 'date-time' })),
  took_ms: Type.Optional(
    Type.Integer({
      minimum: 0,
      description: 'Milliseconds from its beginning to its end, waiting included.',
    }),
  ),
  measured_by: Type.Optional(
    Type.Enum(['monotonic_clock', 'recorded_times'], {
      description:
        '`monotonic_clock` when one process began and ended it; `recorded_times` when it is the difference of the two.',
    }),
  ),
});
export type RevocationStep = Static<typeof RevocationStep>;

/** Steps in the place of `absence_confirmed` where Ebb has not seen the absence itself. */
export const absenceUnseen = [
  'absence_stated',
  'absence_not_seen',
] as const satisfies readonly RevocationStep['step'][];

/** The steps of each kind of revocation, in their order. */
export const revocationSteps = {
  project: [
    'claims_and_tokens_stopped',
    'builds_cancelled',
    'hook_removed',
    'deploy_key_removed',
    'absence_confirmed',
    'secrets_destroyed',
  ],
  connection: [
    'claims_and_tokens_stopped',
    'projects_revoked',
    'credential_ended_at_source_host',
    'credential_destroyed',
  ],
  team: ['claims_and_tokens_stopped', 'connections_revoked', 'api_keys_ended'],
} as const satisfies Record<string, readonly RevocationStep['step'][]>;

/**
 * A build that ran has one of `provenance` and one of `ramdisk`; what was revoked has one of its own: a project
 * `revocation`, a connection `connection_revocation`, a team `team_revocation`.
 */
export const receiptKinds = [
  'provenance',
  'ramdisk',
  'revocation',
  'connection_revocation',
  'team_revocation',
] as const;
export type ReceiptKind = (typeof receiptKinds)[number];

/** GET /v1/receipts */
export const ReceiptQuery = Type.Object(
  {
    ...PageQuery.properties,
    subject: Type.Optional(
      Type.String({
        maxLength: 100,
        description: 'Receipts of this build, project, connection or team only.',
      }),
    ),
    kind: Type.Optional(Type.Enum([...receiptKinds], { description: 'Receipts of this kind only.' })),
  },
  { additionalProperties: false },
);

/** What was signed, for whom. */
export const Receipt = Type.Object({
  id: Type.String(),
  kind: Type.Enum([...receiptKinds]),
  project_id: Type.Union([Type.String(), Type.Null()], {
    description: 'Null for what is not about one project.',
  }),
  subject: Type.String({
    description: 'What the receipt speaks of: the id of a project, a connection, a team or a build.',
  }),
  created_at: Type.String({ format: 'date-time' }),
  envelope: DsseEnvelope,
});
export type Receipt = Static<typeof Receipt>;
