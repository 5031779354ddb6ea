import { Type } from 'typebox';
import { Id, Name, Timestamp } from './id.ts';
import { defineResource, type Representation } from './resource.ts';
import { teamScopes } from './token.ts';

/** A team's trust in tokens of another issuer, by OpenID Connect: who shows one that fits needs no API key. */
export const workloadIdentity = defineResource({
  name: 'workload_identity',
  path: '/v1/workload-identities',
  description:
    'Lets a workload elsewhere, such as a job of another CI or a pod, act for the team by a token that its own platform gave it (OpenID Connect), so that no API key is kept there. Destroying it ends every token that was got by it.',
  naturalId: ['name'],
  computed: {
    id: Id('wid', 'Identifier; the workload names it as `client_id` when it exchanges its token.'),
    team: Type.String({ description: 'Name of the team that the workload acts for.' }),
    created_at: Timestamp('When it was made.'),
  },
  fixed: {
    name: Name('Name of the identity, unique in the team.'),
    project_id: Type.Optional(
      Id('prj', 'Project that the workload may act on; every project of the team when left out.'),
    ),
  },
  changeable: {
    issuer: Type.String({
      pattern: '^https?://[^/?#@\\s]+(/[^?#\\s]*)?$',
      maxLength: 400,
      description:
        'Issuer of the tokens, exactly as their claim `iss` has it, such as `https://token.actions.githubusercontent.com`. Its keys are found by OpenID Connect Discovery.',
    }),
    audience: Type.String({
      minLength: 1,
      maxLength: 400,
      description:
        'What the claim `aud` of the tokens must hold: choose something that only this Ebb is asked with.',
    }),
    claims: Type.Record(
      Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_./:-]{0,199}$' }),
      Type.String({ minLength: 1, maxLength: 1000 }),
      {
        additionalProperties: false,
        maxProperties: 50,
        description:
          'Claims that a token must have, with their values; `*` stands for any characters. At least one, since an issuer serves many: `{ sub = "repo:acme/shop:ref:refs/heads/main" }`.',
      },
    ),
    scopes: Type.Array(Type.Enum([...teamScopes]), {
      minItems: 1,
      uniqueItems: true,
      description: 'What the workload may do; nothing that its maker may not.',
    }),
  },
  writeOnly: {},
});

export type WorkloadIdentity = Representation<typeof workloadIdentity>;
