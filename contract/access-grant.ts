import { Type } from 'typebox';
import { Id, Timestamp } from './id.ts';
import { MailAddress } from './mail-address.ts';
import { defineResource, type Representation } from './resource.ts';

/** What a grant can open. There is none for secrets: nobody can read them, with a grant or without. */
export const grantScopes = ['logs', 'environment', 'source'] as const;
export type GrantScope = (typeof grantScopes)[number];

/** How long a grant may last from its creation. */
export const longestGrantDays = 7;

/** A team's leave for Ebb's core crew to look at some of its content, for a reason and a time. */
export const accessGrant = defineResource({
  name: 'access_grant',
  path: '/v1/access-grants',
  description:
    "Lets the core crew of whoever operates Ebb look at content of the team, which nobody there can otherwise. Each use stands in the team's audit and is told by e-mail. Destroying it ends it at once.",
  naturalId: ['id'],
  computed: {
    id: Id('grant', 'Identifier of the grant; the crew is given it.'),
    team: Type.String({ description: 'Name of the team that gave the grant.' }),
    created_at: Timestamp('When the grant was given.'),
    ended_at: Type.Union([Timestamp(''), Type.Null()], {
      description: 'When it ended; null while it lasts. A grant that ended stays so.',
    }),
  },
  fixed: {
    project_id: Type.Optional(
      Id('prj', 'Project whose content is opened; every project of the team when left out.'),
    ),
    reason: Type.String({
      minLength: 1,
      maxLength: 500,
      description: 'Why, for people who read the audit later.',
    }),
    scope: Type.Array(Type.Enum([...grantScopes]), {
      minItems: 1,
      uniqueItems: true,
      description:
        '`logs` opens builds and their logs, `environment` the commands and environment variables of projects, `source` lets the crew run commands on a commit in a fresh VM, without secrets and without deployments. Secrets cannot be opened.',
    }),
    notify: Type.Array(MailAddress, {
      minItems: 1,
      maxItems: 10,
      uniqueItems: true,
      description: 'E-mail addresses that are told of each use.',
    }),
  },
  changeable: {
    ends_at: Type.String({
      format: 'date-time',
      pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$',
      description: `When it ends: RFC 3339 in UTC with whole seconds, such as \`2030-01-31T12:00:00Z\`, at most ${longestGrantDays} days after the grant was given.`,
    }),
  },
  writeOnly: {},
});

export type AccessGrant = Representation<typeof accessGrant>;
