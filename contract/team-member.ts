import { Type } from 'typebox';
import { Timestamp } from './id.ts';
import { NormalMailAddress } from './mail-address.ts';
import { MemberId, RoleName } from './membership.ts';
import { defineResource, type Representation } from './resource.ts';

/** Who is in a team, or is invited to it: one thing from the invitation to the end of the membership. */
export const teamMember = defineResource({
  name: 'team_member',
  path: '/v1/team/members',
  description:
    'A person in the team of the API key. Who is not in it yet is invited by e-mail, and joins by the link within a week; an invitation that ran out is gone, and the next `terraform apply` mails another. Destroying it ends the membership, or takes the invitation back, at once; the last owner stays. Owners are made, changed and removed by a key with `owners:write` alone, and nobody gives a role with a scope that the key lacks.',
  naturalId: ['email'],
  computed: {
    id: MemberId,
    team: Type.String({ description: 'Name of the team.' }),
    status: Type.Enum(['invited', 'member'], {
      description: '`invited` until the person joins by the link that was mailed, then `member`.',
    }),
    created_at: Timestamp('When the person joined, or was invited.'),
    expires_at: Type.Union([Timestamp(''), Type.Null()], {
      description: 'When the invitation ends by itself; null for a member.',
    }),
  },
  fixed: {
    email: Type.String({
      ...NormalMailAddress,
      description:
        'Address that the person signs in with, in lower case, such as `ada@example.com`. Who changes his address is a member with the new one: declare that, or he is replaced by an invitation to the old one.',
    }),
  },
  changeable: { role: RoleName },
  renewedBy: { role: ['created_at', 'expires_at'] },
  writeOnly: {},
});

export type TeamMember = Representation<typeof teamMember>;
