import { type Static, Type } from 'typebox';
import { Id, Timestamp } from './id.ts';

/** Something that a team should be able to look up later. GET /v1/audit-events lists them, newest first. */
export const AuditEvent = Type.Object({
  id: Id('aud', 'Identifier of the event.'),
  seq: Type.Integer({ minimum: 1, description: "Place in the team's chain, without gaps from 1." }),
  at: Timestamp('When it happened; never before the event before it.'),
  action: Type.String({ description: 'What happened, such as `webhook.refused`.' }),
  actor: Type.String({ description: 'Who did it: an API key, a source host, or `ebb`.' }),
  subject: Type.String({ description: 'Identifier of what it happened to.' }),
  detail: Type.Record(Type.String(), Type.Unknown(), { description: 'More about it; never a secret.' }),
});
export type AuditEvent = Static<typeof AuditEvent>;

const closed = { additionalProperties: false };
const Digest = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256, hexadecimal.' });
const Base64 = Type.String({ pattern: '^[A-Za-z0-9+/]+={0,2}$' });
const Signature = Type.Object({ keyid: Type.String(), sig: Base64 }, closed);

/**
 * One line of GET /v1/audit-events/export. `hash` is that of all members but itself and `signature`; the signature is
 * over the head of the chain as it was when the entry was the last one. How both are made: docs/decisions/audit-chain.md.
 */
export const AuditEntry = Type.Object(
  {
    ...AuditEvent.properties,
    team: Id('team', 'Team whose chain it is in.'),
    previous: Digest,
    hash: Digest,
    signature: Signature,
  },
  closed,
);
export type AuditEntry = Static<typeof AuditEntry>;

/** Where a team's chain ends: its last entry. */
export const AuditHead = Type.Object(
  {
    team: AuditEntry.properties.team,
    seq: AuditEvent.properties.seq,
    hash: Digest,
    at: AuditEvent.properties.at,
  },
  closed,
);
export type AuditHead = Static<typeof AuditHead>;

/**
 * GET /v1/audit-head: a signed head. Whoever keeps one can tell later whether the chain still goes through it.
 *
 * @see https://github.com/secure-systems-lab/dsse/blob/master/envelope.md
 */
export const SignedAuditHead = Type.Object(
  {
    payloadType: Type.Literal('application/vnd.ebb.audit-head+json'),
    payload: Type.String({ description: 'Base64 of the head, a JSON object in canonical form (RFC 8785).' }),
    signatures: Type.Array(Signature, { minItems: 1, maxItems: 1 }),
  },
  closed,
);
export type SignedAuditHead = Static<typeof SignedAuditHead>;

/** The last line of an export, so that one which was cut off can be told from a whole one. */
export const AuditExportEnd = Type.Object({ audit_head: SignedAuditHead }, closed);
export type AuditExportEnd = Static<typeof AuditExportEnd>;

/** In a receipt: where the team's chain ended when it was signed. Who keeps the receipt is a witness of that. */
export const AuditWitness = Type.Optional(SignedAuditHead);
