import { type Static, Type } from 'typebox';
import { Id, Timestamp } from './id.ts';
import { RevocationStep } from './receipt.ts';

/** What a person finds and removes at the source host, when Ebb cannot. */
export const LeftAtSourceHost = Type.Object({
  what: Type.Enum(['deploy_key', 'hook']),
  repository: Type.String({ description: 'As the source host names it.' }),
  title: Type.Optional(Type.String({ description: 'Title of the deploy key.' })),
  fingerprint: Type.Optional(Type.String({ description: 'SHA-256 fingerprint of the deploy key.' })),
  hook_url: Type.Optional(Type.String({ description: 'Where the hook posts to.' })),
  page: Type.Union([Type.String(), Type.Null()], {
    description: 'Page of the source host where it is removed; null for the host that is built into Ebb.',
  }),
});
export type LeftAtSourceHost = Static<typeof LeftAtSourceHost>;

/** Why a revocation does not go on by itself at this moment. */
export const Obstacle = Type.Object({
  step: Type.String({ description: 'The step that could not be done.' }),
  code: Type.String({ description: 'Stable, for programs: `source_host_refused`, `builds_still_ending`, …' }),
  detail: Type.String({ description: 'What holds it up, and what a person can do.' }),
  since: Timestamp('When it was first in the way.'),
  attempt: Type.Optional(
    Type.Integer({ description: 'The attempt that found it; a later one may be at work, and find it gone.' }),
  ),
  remove_by_hand: Type.Array(LeftAtSourceHost),
});
export type Obstacle = Static<typeof Obstacle>;

const MaybeText = Type.Union([Type.String(), Type.Null()]);
const MaybeTime = Type.Union([Timestamp('A moment.'), Type.Null()]);

/** GET /v1/revocations/{id}: how far it is, and what is left. */
export const Revocation = Type.Object({
  id: Id('rev', 'Identifier of the revocation.'),
  kind: Type.Enum(['project', 'connection', 'team']),
  subject: Type.String({ description: 'Identifier of what is revoked.' }),
  name: Type.String({ description: 'Its name.' }),
  within: Type.Union([Type.String(), Type.Null()], {
    description: 'The revocation of the connection or team that this one is a part of.',
  }),
  state: Type.Enum(['going_on', 'held_up', 'finished']),
  requested_by: Type.String({ description: 'The API key that asked for it.' }),
  requested_at: Timestamp('When it was asked for.'),
  steps: Type.Array(RevocationStep, { description: 'Steps that are done, in the order of their end.' }),
  remaining: Type.Array(Type.String(), { description: 'Steps that are not done, in their order.' }),
  obstacle: Type.Union([Obstacle, Type.Null()]),
  attempts: Type.Integer({ description: 'How often it was begun or taken up again.' }),
  next_try_at: Type.Union([Timestamp('When Ebb goes on by itself.'), Type.Null()]),
  finished_at: MaybeTime,
  receipt_id: MaybeText,
});
export type Revocation = Static<typeof Revocation>;

/** POST …/revoke. */
const more = {
  removed_by_hand: Type.Optional(
    Type.Boolean({
      description:
        'The caller states that hook and deploy key were removed by hand. Where the source host still does not let Ebb see it, the revocation finishes on that word, and its receipt says so.',
    }),
  ),
};
export const RevocationRequest = Type.Object(more, { additionalProperties: false });
export type RevocationRequest = Static<typeof RevocationRequest>;

/** POST /v1/team/revoke: the name again, so that no slip ends a team. */
export const TeamRevocationRequest = Type.Object(
  { name: Type.String({ maxLength: 100, description: 'Name of the team that is to be revoked.' }), ...more },
  { additionalProperties: false },
);
