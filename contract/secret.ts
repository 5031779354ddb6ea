import { Type } from 'typebox';
import { Phase } from './build.ts';
import { Id, Timestamp } from './id.ts';
import { defineResource, type Representation } from './resource.ts';

/** A value that the commands of a build may read and nobody else can. */
export const secret = defineResource({
  name: 'secret',
  path: '/v1/secrets',
  description:
    "An environment variable whose value is sealed to the project: the API cannot open it, and it is masked in the build's log.",
  naturalId: ['project', 'name'],
  computed: {
    id: Id('sec', 'Identifier of the secret.'),
    created_at: Timestamp('When the secret was made.'),
  },
  fixed: {
    project_id: Id('prj', 'Project whose builds may read the secret.'),
    name: Type.String({
      pattern: '^[A-Z_][A-Z0-9_]*$',
      maxLength: 100,
      description: 'Name of the environment variable: upper-case letters, digits and underscores.',
    }),
  },
  changeable: {
    phases: Type.Optional(
      Type.Array(Phase, {
        default: ['setup', 'test', 'deploy'],
        minItems: 1,
        uniqueItems: true,
        description: 'Phases whose commands see the secret.',
      }),
    ),
  },
  writeOnly: {
    value: Type.String({
      minLength: 1,
      maxLength: 65_536,
      description: 'The value. It is sealed at once and cannot be read back.',
    }),
  },
});

export type Secret = Required<Representation<typeof secret>>;
