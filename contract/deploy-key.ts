import { Type } from 'typebox';
import { Id, Timestamp } from './id.ts';
import { defineResource, type Representation } from './resource.ts';
import { StateAtSourceHost } from './state-at-source-host.ts';

const ofTheKey = ['public_key', 'fingerprint', 'source_host_id', 'state', 'made_by'] as const;

/** The one SSH key of a project: read-only at the source host, private half sealed to the project. */
export const deployKey = defineResource({
  name: 'deploy_key',
  path: '/v1/deploy-keys',
  description:
    'The SSH key that a project is checked out with. Ebb makes it, unless you bring one along, adds it read-only at the source host, and removes it there when it is destroyed. Its private half is in no state file.',
  naturalId: ['project'],
  computed: {
    id: Id('dk', 'Identifier of the deploy key.'),
    public_key: Type.String({ description: 'Public half, in OpenSSH format.' }),
    fingerprint: Type.String({ description: 'SHA-256 fingerprint, as `ssh-keygen -l` prints it.' }),
    source_host_id: Type.String({ description: 'Identifier of the key at the source host.' }),
    state: StateAtSourceHost('deploy key'),
    made_by: Type.Enum(['ebb', 'team'], {
      description: 'Who made the key. The private half of one that Ebb made was never anywhere else.',
    }),
    created_at: Timestamp('When the key was made.'),
  },
  fixed: { project_id: Id('prj', 'Project that the key belongs to. A project has one key.') },
  changeable: {
    rotate_when: Type.Optional(
      Type.Record(Type.String(), Type.String({ maxLength: 1000 }), {
        maxProperties: 50,
        description:
          'Any words, such as a date or the id of something else. When one of them changes Ebb makes a new key: it is added at the source host before the old one is removed, and builds under way keep the old one until they have checked out. Not for a key that you bring along.',
      }),
    ),
  },
  conflicts: [['rotate_when', 'private_key']],
  renewedBy: { rotate_when: ofTheKey, private_key: ofTheKey },
  writeOnly: {
    private_key: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 10_000,
        description:
          'Private half of an Ed25519 key that you bring along, without a passphrase, as `ssh-keygen` or `tls_private_key` write it. Left out, Ebb makes the key. It is sealed at once and cannot be read back.',
      }),
    ),
  },
});

export type DeployKey = Representation<typeof deployKey>;
