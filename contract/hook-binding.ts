import { Type } from 'typebox';
import { Id, Timestamp } from './id.ts';
import { defineResource, type Representation } from './resource.ts';
import { StateAtSourceHost } from './state-at-source-host.ts';

/** Events that a hook can be bound to, in Ebb's words. */
export const hookEvents = ['push', 'pull_request'] as const;
export type HookEvent = (typeof hookEvents)[number];

/** What makes a push start a build: a signed webhook from the source host to Ebb. */
export const hookBinding = defineResource({
  name: 'hook_binding',
  path: '/v1/hook-bindings',
  description:
    'A webhook at the source host that starts builds of a project. Ebb makes it with a secret of its own and removes it there when it is destroyed.',
  naturalId: ['project'],
  computed: {
    id: Id('hook', 'Identifier of the hook binding.'),
    url: Type.String({ description: 'Address that the source host posts to.' }),
    source_host_id: Type.String({ description: 'Identifier of the hook at the source host.' }),
    state: StateAtSourceHost('hook'),
    created_at: Timestamp('When the hook was bound.'),
  },
  fixed: { project_id: Id('prj', 'Project that the hook starts builds of. A project has one hook binding.') },
  changeable: {
    branches: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
        default: ['**'],
        minItems: 1,
        maxItems: 50,
        description:
          'Branches whose pushes, and pull requests into which, start a build; `*` stands for any characters but `/`, `**` for any.',
      }),
    ),
    tags: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
        default: [],
        maxItems: 50,
        description: 'Tags whose pushes start a build, by pattern as in `branches`; none when left out.',
      }),
    ),
    events: Type.Optional(
      Type.Array(Type.Enum([...hookEvents]), {
        default: [...hookEvents],
        minItems: 1,
        maxItems: hookEvents.length,
        description:
          'What the source host tells: `push` (of branches and tags) and `pull_request`. A source host without pull requests tells pushes only.',
      }),
    ),
  },
  writeOnly: {},
});

export type HookBinding = Required<Representation<typeof hookBinding>>;
