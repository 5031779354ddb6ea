import { type Static, Type } from 'typebox';
import { Id, Name, Timestamp } from './id.ts';
import { MailAddress } from './mail-address.ts';
import { roles } from './role.ts';

const RoleName = Type.Enum([...roles], {
  description:
    '`viewer` reads; `maintainer` also changes projects and works with builds; `owner` may do everything, such as keys, grants, members and revoking.',
});
const MemberId = Id('mem', 'Identifier of the membership; the audit trail names who acts by it.');
const RoleBody = { role: RoleName };

/** POST /v1/teams. */
export const TeamCreation = Type.Object(
  { name: Name('Name of the team, unique in this Ebb.') },
  { additionalProperties: false },
);

/** A team as one of its people sees it. */
export const OwnTeam = Type.Object({
  name: Type.String({ description: 'Name; the header `Ebb-Team` takes it.' }),
  member_id: MemberId,
  ...RoleBody,
});
export type OwnTeam = Static<typeof OwnTeam>;

/** A person in a team. */
export const TeamMember = Type.Object({
  id: MemberId,
  email: Type.String({ description: 'Address that the person signs in with.' }),
  ...RoleBody,
  created_at: Timestamp('When the person joined.'),
});
export type TeamMember = Static<typeof TeamMember>;

/** PATCH /v1/team/members/{id}. */
export const TeamMemberChange = Type.Object(RoleBody, { additionalProperties: false });

/** POST /v1/team/invitations. */
export const InvitationCreation = Type.Object(
  { email: MailAddress, ...RoleBody },
  { additionalProperties: false },
);
export type InvitationCreation = Static<typeof InvitationCreation>;

/** An invitation; who has the address may join by the link that was mailed there. */
export const Invitation = Type.Object({
  id: Id('inv', 'Identifier.'),
  email: Type.String({ description: 'Address, in lower case.' }),
  ...RoleBody,
  created_at: Timestamp('When it was made.'),
  created_by: Type.String({ description: 'Who made it, as the audit trail names it.' }),
  expires_at: Timestamp('When it ends by itself.'),
  accepted_at: Type.Union([Timestamp(''), Type.Null()], { description: 'When it was accepted.' }),
  revoked_at: Type.Union([Timestamp(''), Type.Null()], { description: 'When it was taken back.' }),
});
export type Invitation = Static<typeof Invitation>;
