import { type Static, Type } from 'typebox';
import { Id, Name, Timestamp } from './id.ts';
import { MemberId, RoleName } from './membership.ts';
import { defineResource, type Representation } from './resource.ts';
import { builds, Words } from './share.ts';

/** POST /v1/teams. */
export const TeamCreation = Type.Object(
  { name: Name('Name of the team, unique in this Ebb.') },
  { additionalProperties: false },
);

/** A team as one of its people sees it. */
export const OwnTeam = Type.Object({
  name: Type.String({ description: 'Name; the header `Ebb-Team` takes it.' }),
  member_id: MemberId,
  role: RoleName,
});
export type OwnTeam = Static<typeof OwnTeam>;

/** The team of the token, with what it says of itself. */
export const team = defineResource({
  name: 'team',
  path: '/v1/team',
  isSingle: true,
  description:
    'What the team of the API key says of itself. People make teams; Terraform finds the one that the key belongs to and changes it. Destroying it revokes the team with everything in it, and is refused while `deletion_protection` holds; `terraform state rm` only stops managing it.',
  naturalId: [],
  computed: {
    id: Id('team', 'Identifier of the team.'),
    created_at: Timestamp('When it was made.'),
  },
  fixed: {},
  changeable: {
    // Not fixed, so that no slip in a name is a replacement, which would revoke the team.
    name: Name(
      'Name of the team that the API key belongs to. A team keeps its name: another one is refused.',
    ),
    paused_by_team: Type.Optional(
      Type.String({
        ...Words,
        description:
          'Why the team holds its builds back, a sentence that each waiting build shows; those that run go on. Not paused when left out.',
      }),
    ),
    limit_by_team: Type.Optional(
      Type.Integer({
        ...builds,
        description:
          'How many builds of the team may run at once, as the team says; the limit that who operates Ebb set counts beside it. No limit of its own when left out.',
      }),
    ),
    deletion_protection: Type.Optional(
      Type.Boolean({
        default: true,
        description:
          'Whether deleting the team is refused. To destroy it, set `false` and apply first, which takes a key with `team:revoke`.',
      }),
    ),
  },
  writeOnly: {},
});

export type Team = Representation<typeof team>;
