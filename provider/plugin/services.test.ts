import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeValue } from './decode-value.ts';
import { failure } from './diagnostic.ts';
import { encodeValue } from './encode-value.ts';
import { JsonNumber } from './json-value.ts';
import { FunctionFailure, type Identity } from './provider.ts';
import { connect, open, schema, testProvider, thing, wire } from './serve-for-tests.ts';
import type { Value } from './value.ts';

const identity: Identity = {
  version: 1,
  attributes: { id: { type: 'string', description: 'Its id.', required: true } },
  of: ({ id = null }) => ({ id }),
};
const idOf = (data: unknown) => {
  const { identity_data } = data as { identity_data: { msgpack: Uint8Array } };
  return (decodeValue(identity_data.msgpack, ['object', { id: 'string' }]) as { id: Value }).id;
};
const identityData = (id: string) => ({
  identity_data: { msgpack: encodeValue({ id }, ['object', { id: 'string' }]) },
});
const text = (value: Value) => ({ msgpack: encodeValue(value, 'string') });

test('a function is told, called, and says what is wrong with which argument', async (t) => {
  const shout = {
    ...{ summary: 'Shout', description: 'Makes it **loud**.', returns: 'string' as const },
    parameters: [{ name: 'word', type: 'string' as const, description: 'What to shout.' }],
    call(word: Value) {
      if (word === '') throw new FunctionFailure('There is nothing to shout.', 0);
      return String(word).toUpperCase();
    },
  };
  const { call } = await connect(t, testProvider({}, { functions: { shout } }));
  const told = (await call('GetFunctions', {})).functions as Record<string, { parameters: object[] }>;
  assert.partialDeepStrictEqual(told.shout?.parameters[0], { name: 'word', type: Buffer.from('"string"') });
  const { result } = await call('CallFunction', { name: 'shout', arguments: [text('ho')] });
  assert.equal(decodeValue((result as { msgpack: Uint8Array }).msgpack, 'string'), 'HO');
  const { error } = await call('CallFunction', { name: 'shout', arguments: [text('')] });
  assert.partialDeepStrictEqual(error, { text: 'There is nothing to shout', function_argument: 0 });
});

test('an ephemeral resource is opened, renewed with what it kept, and closed', async (t) => {
  const renewAt = new Date('2030-01-01T00:00:00.250Z');
  const closed: string[] = [];
  const ephemeral = {
    schema,
    open: async () => ({ result: { ...thing }, renewAt, private: Buffer.from('first') }),
    renew: async ({ private: kept }: { private: Uint8Array }) => ({
      private: Buffer.from(`${Buffer.from(kept)}, again`),
    }),
    async close({ private: kept, signal }: { private: Uint8Array; signal: AbortSignal }) {
      assert.ok(!signal.aborted);
      closed.push(Buffer.from(kept).toString());
    },
  };
  const { call } = await connect(t, testProvider({}, { ephemeralResources: { test_key: ephemeral } }));
  const asked = { type_name: 'test_key', config: wire({ ...thing, id: null }) };
  assert.deepEqual((await call('ValidateEphemeralResourceConfig', asked)).diagnostics, []);
  const opened = await call('OpenEphemeralResource', asked);
  assert.deepEqual(open(opened.result), thing);
  assert.deepEqual(opened.renew_at, { seconds: renewAt.getTime() / 1000 - 0.25, nanos: 250_000_000 });
  const renewed = await call('RenewEphemeralResource', { type_name: 'test_key', private: opened.private });
  assert.equal(String(renewed.private), 'first, again');
  assert.equal(renewed.renew_at, null);
  await call('StopProvider', {});
  await call('CloseEphemeralResource', { type_name: 'test_key', private: renewed.private });
  assert.deepEqual(closed, ['first, again']);
});

test('resources that are listed come one after the other, up to the limit, whole when asked for', async (t) => {
  const listed = { test_thing: { schema: { ...schema, attributes: {} }, list: things } };
  async function* things() {
    for (const name of ['a', 'b', 'c']) yield { displayName: name, state: { ...thing, id: name, name } };
  }
  const { stream } = await connect(t, testProvider({ identity }, { listResources: listed }));
  const config = { msgpack: encodeValue({}, ['object', {}]) };
  const some = await stream('ListResource', { type_name: 'test_thing', config, limit: 2 });
  assert.deepEqual(
    some.map((event) => [event.display_name, idOf(event.identity), event.resource_object]),
    [
      ['a', 'a', null],
      ['b', 'b', null],
    ],
  );
  const whole = await stream('ListResource', {
    type_name: 'test_thing',
    config,
    include_resource_object: true,
  });
  assert.deepEqual(open(whole[2]?.resource_object), { ...thing, id: 'c', name: 'c' });
  const [wrong] = await stream('ListResource', { type_name: 'test_none', config });
  assert.partialDeepStrictEqual(wrong, { diagnostic: [{ summary: 'Unknown list resource' }] });
});

test('an action tells how far it is, and what failed at the end', async (t) => {
  async function* invoke({ config }: { config: { [name: string]: Value } }) {
    yield 'half-way';
    if (config.name === 'bad') throw failure('It broke', 'Half-way.', ['name']);
  }
  const { call, stream } = await connect(t, testProvider({}, { actions: { test_run: { schema, invoke } } }));
  const run = (name: string) =>
    stream('InvokeAction', { action_type: 'test_run', config: wire({ ...thing, id: null, name }) });
  assert.deepEqual((await call('PlanAction', { action_type: 'test_run' })).diagnostics, []);
  const [progress, completed] = await run('good');
  assert.deepEqual(progress?.progress, { message: 'half-way' });
  assert.deepEqual(completed?.completed, { diagnostics: [] });
  const failed = (await run('bad')).at(-1)?.completed as { diagnostics: { summary: string }[] };
  assert.equal(failed.diagnostics[0]?.summary, 'It broke');
});

test('identities are told, kept by reading, changing and failing, and lead to what is imported', async (t) => {
  const { call } = await connect(
    t,
    testProvider({
      identity,
      read: async ({ state }) => ({ state }),
      create: async ({ planned }) => ({ state: { ...planned, id: 't9' } }),
      update: async () => {
        throw failure('Cannot update', 'Not now.');
      },
      import: async (wanted) => ({
        state: { ...thing, id: 'id' in wanted ? wanted.id : (wanted.identity.id ?? null) },
      }),
    }),
  );
  const schemas = (await call('GetResourceIdentitySchemas', {})).identity_schemas as Record<string, object>;
  assert.partialDeepStrictEqual(schemas.test_thing, {
    version: 1,
    identity_attributes: [{ name: 'id', required_for_import: true }],
  });
  const type_name = 'test_thing';
  const read = await call('ReadResource', { type_name, current_state: wire(thing) });
  assert.equal(idOf(read.new_identity), 't1');
  const config = wire({ ...thing, id: null });
  const made = await call('ApplyResourceChange', { type_name, planned_state: config, config });
  assert.equal(idOf(made.new_identity), 't9');
  const failed = await call('ApplyResourceChange', {
    ...{ type_name, config, prior_state: wire(thing), planned_state: wire(thing) },
    planned_identity: identityData('t1'),
  });
  assert.equal(idOf(failed.new_identity), 't1');
  const imported = async (request: object) => {
    const { imported_resources: found } = await call('ImportResourceState', { type_name, ...request });
    const [one] = found as { identity: unknown; state: unknown }[];
    return [idOf(one?.identity), (open(one?.state) as { id: Value }).id];
  };
  assert.deepEqual(await imported({ id: 't2' }), ['t2', 't2']);
  assert.deepEqual(await imported({ identity: identityData('t3') }), ['t3', 't3']);
  const raw_identity = { json: Buffer.from('{"id":"t4"}') };
  const upgraded = await call('UpgradeResourceIdentity', { type_name, version: 0, raw_identity });
  assert.equal(idOf(upgraded.upgraded_identity), 't4');
});

test('state of older versions is brought up step by step, and told when it is too old', async (t) => {
  const { call } = await connect(
    t,
    testProvider({
      schema: { ...schema, version: 3 },
      upgrades: {
        1: (state) => ({ ...(state as object), name: 'from one' }),
        2: (state) => ({ ...(state as object), id: `${(state as { name: string }).name}, two` }),
      },
    }),
  );
  const upgrade = (version: number) =>
    call('UpgradeResourceState', {
      ...{ type_name: 'test_thing', version },
      raw_state: { json: Buffer.from('{"id":"t1","name":"a"}') },
    });
  assert.deepEqual(open((await upgrade(1)).upgraded_state), {
    ...thing,
    id: 'from one, two',
    name: 'from one',
  });
  assert.deepEqual(open((await upgrade(2)).upgraded_state), { ...thing, id: 'a, two' });
  assert.equal((await upgrade(0)).diagnostics[0]?.summary, 'State is too old');
});

test('state of another type is taken over where it can be', async (t) => {
  const { call } = await connect(
    t,
    testProvider({
      identity,
      move: ({ type, state }) =>
        type === 'other_thing' &&
        state !== null &&
        typeof state === 'object' &&
        !(state instanceof JsonNumber)
          ? { state: { ...thing, name: String((state as { label: string }).label), secret_wo: 'leaks' } }
          : undefined,
    }),
  );
  const move = (source_type_name: string) =>
    call('MoveResourceState', {
      ...{ source_type_name, target_type_name: 'test_thing', source_provider_address: 'example.com/a/b' },
      source_state: { json: Buffer.from('{"label":"moved"}') },
    });
  const moved = await move('other_thing');
  assert.deepEqual(open(moved.target_state), { ...thing, name: 'moved' });
  assert.equal(idOf(moved.target_identity), 't1');
  assert.match(
    (await move('third_thing')).diagnostics[0]?.detail ?? '',
    /cannot become a test_thing; import it/,
  );
});

test('the configuration of what is imported leaves out what the provider decides', async (t) => {
  const { call } = await connect(t, testProvider({}));
  const { config } = await call('GenerateResourceConfig', { type_name: 'test_thing', state: wire(thing) });
  assert.deepEqual(open(config), { ...thing, id: null });
});

test('what a deletion tells is a warning', async (t) => {
  const { call } = await connect(
    t,
    testProvider({ delete: async () => [{ severity: 'warning', summary: 'Gone', detail: 'For good.' }] }),
  );
  const answer = await call('ApplyResourceChange', { type_name: 'test_thing', prior_state: wire(thing) });
  assert.partialDeepStrictEqual(answer.diagnostics, [{ severity: 2, summary: 'Gone' }]);
  assert.equal(open(answer.new_state), null);
});

test('a method that nobody serves is answered as gRPC has it', async (t) => {
  const { call } = await connect(t, testProvider({}));
  await assert.rejects(call('Nothing', {}, 'tfplugin6.Nothing'), /UNIMPLEMENTED.*does not serve/);
});
