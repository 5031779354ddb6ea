import type { Provider } from './provider.ts';
import { schema, testProvider, thing } from './serve-for-tests.ts';
import type { ValueMap } from './value.ts';

const text = { type: 'string', description: '' } as const;
const id = { ...text, required: true };
const open = { id: { ...text, computed: true }, name: { ...text, required: true } };

/** A provider with one of each kind, which does what it is asked, and tells back what it is given. */
export const wholeProvider: Provider<string> = testProvider(
  {
    identity: { version: 1, attributes: { id }, of: ({ id: own = null }) => ({ id: own }) },
    validate: () => [],
    upgrades: {},
    create: async ({ planned, config }) => ({ state: { ...planned, ...config, id: 't1' } }),
    read: async ({ state }) => ({ state }),
    update: async ({ planned, config }) => ({ state: { ...planned, ...config } }),
    delete: async () => [],
    import: async () => ({ state: thing }),
    move: () => ({ state: thing }),
  },
  {
    dataSources: {
      test_thing: {
        schema: { ...schema, attributes: open },
        read: async ({ config }) => config,
      },
    },
    ephemeralResources: {
      test_thing: { schema, open: async () => ({ result: thing }), close: async () => {} },
    },
    listResources: { test_thing: { schema, list: things } },
    actions: { test_thing: { schema, invoke: steps } },
    functions: {
      test_thing: {
        ...{ summary: '', description: '', returns: 'string' },
        parameters: [{ name: 'text', type: 'string', description: '' }],
        call: () => 'done',
      },
    },
  },
);

async function* things(): AsyncIterable<{ displayName: string; state: ValueMap }> {
  yield { displayName: 'a', state: thing };
}
async function* steps(): AsyncIterable<string> {
  yield 'half-way';
}
