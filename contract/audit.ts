import { type Static, Type } from 'typebox';
import { Id, Timestamp } from './id.ts';

/** Something that a team should be able to look up later. GET /v1/audit-events lists them, newest first. */
export const AuditEvent = Type.Object({
  id: Id('aud', 'Identifier of the event.'),
  at: Timestamp('When it happened.'),
  action: Type.String({ description: 'What happened, such as `webhook.refused`.' }),
  actor: Type.String({ description: 'Who did it: an API key, a source host, or `ebb`.' }),
  subject: Type.String({ description: 'Identifier of what it happened to.' }),
  detail: Type.Record(Type.String(), Type.Unknown(), { description: 'More about it; never a secret.' }),
});
export type AuditEvent = Static<typeof AuditEvent>;
