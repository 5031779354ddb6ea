import { Type } from 'typebox';
import { Id, Name, Timestamp } from './id.ts';
import { defineResource, type Representation } from './resource.ts';

/** A team's way to one source host: which host, and whose SSH host keys are trusted. */
export const connection = defineResource({
  name: 'connection',
  path: '/v1/connections',
  description: 'A source host that a team builds from, with its SSH host keys pinned.',
  naturalId: ['name'],
  computed: {
    id: Id('conn', 'Identifier of the connection.'),
    team: Type.String({ description: 'Name of the team that owns the connection.' }),
    host_keys: Type.Array(Type.String(), {
      description: 'SSH host keys pinned for this host, in OpenSSH format. Builds trust no other.',
    }),
    created_at: Timestamp('When the connection was made.'),
  },
  fixed: {
    name: Name('Name of the connection, unique in the team.'),
    kind: Type.Enum(['local'], {
      description:
        'Which source host this is. `local` is the host built into Ebb: bare repositories in a folder, served over SSH.',
    }),
  },
  changeable: {},
  writeOnly: {},
});

export type Connection = Representation<typeof connection>;
