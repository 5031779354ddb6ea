import { Type } from 'typebox';
import { Id, Timestamp } from './id.ts';
import { defineResource, type Representation } from './resource.ts';
import { StateAtSourceHost } from './state-at-source-host.ts';

/** The one SSH key of a project: read-only at the source host, private half sealed to the project. */
export const deployKey = defineResource({
  name: 'deploy_key',
  path: '/v1/deploy-keys',
  description:
    'The SSH key that a project is checked out with. Ebb makes it, adds it read-only at the source host, and removes it there when it is destroyed. Its private half is in no state file.',
  naturalId: ['project'],
  computed: {
    id: Id('dk', 'Identifier of the deploy key.'),
    public_key: Type.String({ description: 'Public half, in OpenSSH format.' }),
    fingerprint: Type.String({ description: 'SHA-256 fingerprint, as `ssh-keygen -l` prints it.' }),
    source_host_id: Type.String({ description: 'Identifier of the key at the source host.' }),
    state: StateAtSourceHost('deploy key'),
    created_at: Timestamp('When the key was made.'),
  },
  fixed: { project_id: Id('prj', 'Project that the key belongs to. A project has one key.') },
  changeable: {
    rotation: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 100,
        description:
          'Any word, such as a date. Another word makes a new key: it is added at the source host before the old one is removed, and builds under way keep the old one until they have checked out.',
      }),
    ),
  },
  renewedBy: { rotation: ['public_key', 'fingerprint', 'source_host_id', 'state'] },
  writeOnly: {},
});

export type DeployKey = Representation<typeof deployKey>;
