import { type Static, Type } from 'typebox';
import { Id, Timestamp } from './id.ts';
import { MailAddress } from './mail-address.ts';
import { RoleName } from './membership.ts';

/** POST /v1/team/invitations. */
export const InvitationCreation = Type.Object(
  { email: MailAddress, role: RoleName },
  { additionalProperties: false },
);
export type InvitationCreation = Static<typeof InvitationCreation>;

/** An invitation; who has the address may join by the link that was mailed there. */
export const Invitation = Type.Object({
  id: Id('inv', 'Identifier.'),
  email: Type.String({ description: 'Address, in lower case.' }),
  role: RoleName,
  created_at: Timestamp('When it was made, or last made anew.'),
  created_by: Type.String({ description: 'Who made it, as the audit trail names it.' }),
  expires_at: Timestamp('When it ends by itself.'),
  accepted_at: Type.Union([Timestamp(''), Type.Null()], { description: 'When it was accepted.' }),
  revoked_at: Type.Union([Timestamp(''), Type.Null()], { description: 'When it was taken back.' }),
});
export type Invitation = Static<typeof Invitation>;
