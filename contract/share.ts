import { type Static, Type } from 'typebox';
import { Id } from './id.ts';
import { plainText } from './plain-text.ts';

const Weight = Type.Number({
  minimum: 0.001,
  maximum: 1000,
  description:
    'From 0.001 to 1000, default 1. While there is more work than machines, a team of weight 2 is served twice as long as one of weight 1.',
});

/** How many builds there may be at once. */
export const builds = { minimum: 1, maximum: 1_000_000 } as const;
const Limit = (description: string) => Type.Union([Type.Integer(builds), Type.Null()], { description });
const limitOfTeam =
  'How many builds of the team may run at once, as who operates Ebb says; any number when null.';
const LimitByTeam = Limit('The same as the team says itself; the smaller one counts.');

/** Why something waits, for people. */
export const Words = Type.String({
  ...plainText,
  minLength: 1,
  maxLength: 500,
  description: 'A sentence for people, which each build that waits for it shows.',
});

const PausedByOperator = Type.Union([Words, Type.Null()], {
  description:
    'Why its builds wait: who operates Ebb paused the team, and says so to the team here. Null when not.',
});

/** GET /v1/operator/teams: what each team gets of the machines. Numbers and ids, and no word that a team wrote. */
export const TeamShare = Type.Object(
  {
    id: Id('team', 'Identifier of the team.'),
    weight: Weight,
    limit: Limit(limitOfTeam),
    limit_by_team: LimitByTeam,
    paused_by_operator: PausedByOperator,
    paused_by_team: Type.Boolean({ description: 'Whether the team paused its builds itself.' }),
  },
  { additionalProperties: false },
);
export type TeamShare = Static<typeof TeamShare>;

/** PATCH /v1/operator/teams/{id}: what is named is changed. */
export const TeamShareChange = Type.Object(
  {
    weight: Type.Optional(Weight),
    limit: Type.Optional(Limit(limitOfTeam)),
    paused_by_operator: Type.Optional(PausedByOperator),
  },
  { additionalProperties: false },
);
export type TeamShareChange = Static<typeof TeamShareChange>;

/** GET /v1/team/share: what the team of the token gets, in its own view. */
export const OwnShare = Type.Object({
  weight: Weight,
  limit: Limit(limitOfTeam),
  limit_by_team: LimitByTeam,
  paused_by_operator: PausedByOperator,
  paused_by_team: Type.Union([Words, Type.Null()], {
    description: 'Why its builds wait: the team paused them itself. Null when not.',
  }),
});
export type OwnShare = Static<typeof OwnShare>;

/** PUT /v1/team/pause: the builds of the team wait until it is resumed; those that run go on. */
export const TeamPause = Type.Object({ reason: Words }, { additionalProperties: false });

const fleet = {
  limit: Limit('How many builds may run at once in all; any number when null.'),
  drained: Type.Boolean({
    description: 'No build is started any more, and those that run go on: for a deployment of Ebb.',
  }),
};

/** GET /v1/operator/fleet: what there is for all teams together. */
export const Fleet = Type.Object(fleet, { additionalProperties: false });
export type Fleet = Static<typeof Fleet>;

/** PATCH /v1/operator/fleet: what is named is changed. */
export const FleetChange = Type.Object(
  { limit: Type.Optional(fleet.limit), drained: Type.Optional(fleet.drained) },
  { additionalProperties: false },
);
export type FleetChange = Static<typeof FleetChange>;
