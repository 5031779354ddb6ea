import { type Static, Type } from 'typebox';
import { Id, Timestamp } from './id.ts';
import { plainText } from './plain-text.ts';
import { teamScopes } from './token.ts';

const ApiKeyName = Type.String({
  ...plainText,
  maxLength: 100,
  description:
    'What the key is for, to tell it from others: text without line breaks and control characters.',
});

const ProjectId = Id(
  'prj',
  'The only project that its tokens are good for; every project of the team when left out.',
);

/** A key of a team as it is shown: everything but its secret. */
export const ApiKey = Type.Object({
  id: Id('key', 'Identifier; it names the key in the audit trail.'),
  name: Type.String({ description: 'What it is for.' }),
  scopes: Type.Array(Type.String(), { description: 'What its tokens may do.' }),
  project_id: Type.Optional(ProjectId),
  created_at: Timestamp('When it was made.'),
  created_by: Type.Union([Type.String(), Type.Null()], {
    description: 'Who made it, as the audit trail names it; null for keys of older releases.',
  }),
  expires_at: Type.Union([Timestamp(''), Type.Null()], {
    description: 'When it ends by itself; null for never.',
  }),
  last_used_at: Type.Union([Timestamp(''), Type.Null()], {
    description: 'When it last gave a token, to the minute; null when it never did.',
  }),
  revoked_at: Type.Union([Timestamp(''), Type.Null()], {
    description: 'When it was ended; null while it is good.',
  }),
});
export type ApiKey = Static<typeof ApiKey>;

/** POST /v1/api-keys. */
export const ApiKeyCreation = Type.Object(
  {
    name: ApiKeyName,
    scopes: Type.Array(Type.Enum([...teamScopes]), {
      minItems: 1,
      uniqueItems: true,
      description: 'What its tokens may do; nothing that the token which makes it may not.',
    }),
    project_id: Type.Optional(ProjectId),
    expires_at: Type.Optional(
      Type.String({
        format: 'date-time',
        pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$',
        description:
          'When it ends by itself: RFC 3339 in UTC with whole seconds, such as `2030-01-31T12:00:00Z`; never when left out.',
      }),
    ),
  },
  { additionalProperties: false },
);
export type ApiKeyCreation = Static<typeof ApiKeyCreation>;

/** What POST /v1/api-keys answers. */
export const CreatedApiKey = Type.Object({
  ...ApiKey.properties,
  secret: Type.Optional(
    Type.String({
      description:
        'The key itself, `ebb_…`, shown this once: Ebb keeps its hash alone. A repetition with the same Idempotency-Key is answered without it.',
    }),
  ),
});
export type CreatedApiKey = Static<typeof CreatedApiKey>;
