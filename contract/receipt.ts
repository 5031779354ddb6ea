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

/** One step of a revocation and when it was done. */
export const RevocationStep = Type.Object({
  step: Type.Enum([
    'claims_and_tokens_stopped',
    'builds_cancelled',
    'hook_removed',
    'deploy_key_removed',
    'absence_confirmed',
    'secrets_destroyed',
  ]),
  at: Type.String({ format: 'date-time' }),
  detail: Type.String(),
});
export type RevocationStep = Static<typeof RevocationStep>;

/** A build that ran has one of `provenance` and one of `ramdisk`; a project that was revoked has a `revocation`. */
export const receiptKinds = ['provenance', 'ramdisk', 'revocation'] as const;
export type ReceiptKind = (typeof receiptKinds)[number];

/** GET /v1/receipts */
export const ReceiptQuery = Type.Object(
  {
    ...PageQuery.properties,
    subject: Type.Optional(
      Type.String({ maxLength: 100, description: 'Receipts of this build or project only.' }),
    ),
    kind: Type.Optional(Type.Enum([...receiptKinds], { description: 'Receipts of this kind only.' })),
  },
  { additionalProperties: false },
);

/** What was signed, for whom. */
export const Receipt = Type.Object({
  id: Type.String(),
  kind: Type.Enum([...receiptKinds]),
  project_id: Type.String(),
  subject: Type.String({ description: 'What the receipt speaks of: a project id or a build id.' }),
  created_at: Type.String({ format: 'date-time' }),
  envelope: DsseEnvelope,
});
export type Receipt = Static<typeof Receipt>;
