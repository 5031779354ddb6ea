import { Type } from 'typebox';
import { Id, Name, Timestamp } from './id.ts';
import { defineResource, type Representation } from './resource.ts';

const Digits = (description: string) => Type.String({ pattern: '^[0-9]{1,20}$', description });

/** A team's way to one source host: which host, with what credential, and whose SSH host keys are trusted. */
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
    kind: Type.Enum(['local', 'github', 'gitlab', 'gitea'], {
      description:
        'Which source host this is. `local` is the host built into Ebb: bare repositories in a folder, served over SSH. `gitea` is Forgejo, too.',
    }),
    url: Type.Optional(
      Type.String({
        pattern: '^https?://[^/?#@\\s]+(/[^?#\\s]*[^/?#\\s])?$',
        maxLength: 200,
        description:
          'Address of the site, without a slash at the end, such as `https://git.example.com`. Left out for github.com and gitlab.com; needed for `gitea`.',
      }),
    ),
  },
  changeable: {
    ssh_address: Type.Optional(
      Type.String({
        pattern: '^([A-Za-z0-9][A-Za-z0-9.-]*|\\[[0-9A-Fa-f:]+\\]):[0-9]{1,5}$',
        maxLength: 200,
        description:
          'Where the host serves Git over SSH, as `name:port`; the name in `url` and port 22 when left out.',
      }),
    ),
    app_id: Type.Optional(
      Digits('Identifier of a GitHub App, together with `installation_id` and `private_key_wo`.'),
    ),
    installation_id: Type.Optional(
      Digits("Identifier of the App's installation at the owner of the repositories."),
    ),
    ssh_host_keys: Type.Optional(
      Type.Array(Type.String({ minLength: 20, maxLength: 2000 }), {
        minItems: 1,
        maxItems: 10,
        description:
          "The host's SSH keys to pin, lines in OpenSSH format such as `ssh-ed25519 AAAA…`. Needed for `gitlab` and `gitea`, which do not publish them; left out for github.com, which does.",
      }),
    ),
  },
  renewedBy: { ssh_host_keys: ['host_keys'] },
  writeOnly: {
    token: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1000,
        description: 'Access token for the source host, such as a fine-grained token of GitHub.',
      }),
    ),
    private_key: Type.Optional(
      Type.String({ minLength: 1, maxLength: 10_000, description: 'Private key of the GitHub App, PEM.' }),
    ),
  },
});

export type Connection = Representation<typeof connection>;
