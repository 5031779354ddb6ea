import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { selfSignedCertificate } from './certificate.ts';
import { failure } from './diagnostic.ts';
import { controllerService } from './protocol.ts';
import { connect, open, schema, testProvider, thing, wire } from './serve-for-tests.ts';
import { connectTo } from './test-client.ts';
import type { ValueMap } from './value.ts';

test('the schema is told with its attributes, types and flags', async (t) => {
  const { call } = await connect(t, testProvider({}));
  const answer = await call('GetProviderSchema', {});
  const { block } =
    (answer.resource_schemas as Record<string, { block: { attributes: object[] } }>).test_thing ?? {};
  const secret = block?.attributes.find((attribute) => 'name' in attribute && attribute.name === 'secret_wo');
  assert.partialDeepStrictEqual(secret, { optional: true, write_only: true, type: Buffer.from('"string"') });
  const metadata = await call('GetMetadata', {});
  assert.deepEqual(metadata.resources, [{ type_name: 'test_thing' }]);
});

test('what is deprecated is told as such', async (t) => {
  const attributes = {
    ...schema.attributes,
    old: { type: 'string', optional: true, deprecated: true, description: '' },
  } as const;
  const { call } = await connect(
    t,
    testProvider(
      { schema: { ...schema, deprecated: true, attributes } },
      {
        functions: {
          old: {
            ...{ summary: '', description: '', parameters: [], returns: 'string', call: () => '' },
            deprecated: 'Use another one.',
          },
        },
      },
    ),
  );
  const { resource_schemas, functions } = await call('GetProviderSchema', {});
  const { block } = (resource_schemas as Record<string, { block: Block }>).test_thing ?? {};
  assert.equal(block?.deprecated, true);
  const flagged = block?.attributes.filter(({ deprecated }) => deprecated).map(({ name }) => name);
  assert.deepEqual(flagged, ['old']);
  assert.partialDeepStrictEqual(functions, { old: { deprecation_message: 'Use another one.' } });
});

interface Block {
  deprecated: boolean;
  attributes: { name: string; deprecated: boolean }[];
}

test('an exception becomes a diagnostic and the server goes on', async (t) => {
  const { call, lines } = await connect(
    t,
    testProvider({
      read() {
        throw new RangeError('a mistake of ours');
      },
    }),
  );
  const request = { type_name: 'test_thing', current_state: wire(thing) };
  const answer = await call('ReadResource', request);
  assert.equal(answer.diagnostics[0]?.summary, 'The provider failed unexpectedly');
  assert.match(answer.diagnostics[0]?.detail ?? '', /bug in the provider.*RangeError: a mistake of ours/s);
  assert.deepEqual(open(answer.new_state), thing);
  assert.ok(lines.some((line) => JSON.parse(line)['@level'] === 'error'));
  assert.deepEqual((await call('GetFunctions', {})).diagnostics, []);
});

test('bytes that are no value become a diagnostic', async (t) => {
  const { call } = await connect(t, testProvider({}));
  const request = { type_name: 'test_thing', current_state: { msgpack: Buffer.from([0x93, 1]) } };
  assert.equal((await call('ReadResource', request)).diagnostics.length, 1);
});

test('a diagnostic points to its attribute, and a failed update keeps the prior state', async (t) => {
  const { call } = await connect(
    t,
    testProvider({
      async update() {
        throw failure('Cannot update', 'The name is taken.', ['name']);
      },
    }),
  );
  const answer = await call('ApplyResourceChange', {
    type_name: 'test_thing',
    prior_state: wire(thing),
    planned_state: wire({ ...thing, name: 'b' }),
    config: wire({ ...thing, id: null, name: 'b' }),
  });
  const [diagnostic] = answer.diagnostics;
  assert.partialDeepStrictEqual(diagnostic, { severity: 1, summary: 'Cannot update' });
  assert.partialDeepStrictEqual(diagnostic?.attribute, { steps: [{ attribute_name: 'name' }] });
  assert.deepEqual(open(answer.new_state), thing);
});

test('a write-only value reaches the operation and neither plan nor state', async (t) => {
  let seen: ValueMap | undefined;
  const { call } = await connect(
    t,
    testProvider({
      async create({ config, planned }) {
        seen = config;
        return { state: { ...planned, id: 't1', secret_wo: config.secret_wo ?? null } };
      },
    }),
  );
  const config = wire({ id: null, name: 'a', secret_wo: 'hidden' });
  const plan = await call('PlanResourceChange', {
    type_name: 'test_thing',
    prior_state: wire(null),
    proposed_new_state: config,
    config,
  });
  const answer = await call('ApplyResourceChange', {
    type_name: 'test_thing',
    prior_state: wire(null),
    planned_state: plan.planned_state as object,
    config,
  });
  assert.equal(seen?.secret_wo, 'hidden');
  assert.ok(!Buffer.from((plan.planned_state as { msgpack: Uint8Array }).msgpack).includes('hidden'));
  assert.deepEqual(open(answer.new_state), thing);
});

test('a Terraform that knows no write-only attributes is refused at the attribute', async (t) => {
  const { call } = await connect(t, testProvider({}));
  const answer = await call('ValidateResourceConfig', {
    type_name: 'test_thing',
    config: wire({ ...thing, secret_wo: 'hidden' }),
  });
  assert.match(answer.diagnostics[0]?.detail ?? '', /Use Terraform 1.11 or newer/);
  assert.doesNotMatch(answer.diagnostics[0]?.detail ?? '', /hidden/);
});

test('state of the same version is read without rounding, of a newer version not at all', async (t) => {
  const { call } = await connect(t, testProvider({}));
  const raw_state = { json: Buffer.from('{"id":"t1","name":"a","gone":1}') };
  const answer = await call('UpgradeResourceState', { type_name: 'test_thing', version: 0, raw_state });
  assert.deepEqual(open(answer.upgraded_state), thing);
  const newer = await call('UpgradeResourceState', { type_name: 'test_thing', version: 1, raw_state });
  assert.equal(newer.diagnostics[0]?.summary, 'State is too new');
});

test('StopProvider aborts what is running', async (t) => {
  const started = Promise.withResolvers<void>();
  const { call } = await connect(
    t,
    testProvider({
      read: ({ signal }) =>
        new Promise((_, reject) => {
          started.resolve();
          signal.addEventListener('abort', () => reject(failure('Stopped', 'As asked.')));
        }),
    }),
  );
  const reading = call('ReadResource', { type_name: 'test_thing', current_state: wire(thing) });
  await started.promise;
  await call('StopProvider', {});
  assert.equal((await reading).diagnostics[0]?.summary, 'Stopped');
});

test('what was stopped says so, and is no bug of the provider', async (t) => {
  const started = Promise.withResolvers<void>();
  const { call } = await connect(
    t,
    testProvider({
      async read({ signal }) {
        started.resolve();
        await sleep(60_000, undefined, { signal });
        return null;
      },
    }),
  );
  const reading = call('ReadResource', { type_name: 'test_thing', current_state: wire(thing) });
  await started.promise;
  await call('StopProvider', {});
  assert.partialDeepStrictEqual((await reading).diagnostics, [{ severity: 1, summary: 'Interrupted' }]);
});

test('kinds that the provider has none of are answered, not left unimplemented', async (t) => {
  const { call } = await connect(t, testProvider({}));
  const asked = { type_name: 'test_none' };
  for (const method of [
    'ValidateResourceConfig',
    'ReadDataSource',
    'OpenEphemeralResource',
    'RenewEphemeralResource',
  ]) {
    assert.match((await call(method, asked)).diagnostics[0]?.detail ?? '', /no .* "test_none"/);
  }
  const answer = await call('CallFunction', { name: 'none' });
  assert.match((answer.error as { text: string }).text, /no function "none"/);
});

test('Shutdown is answered before it is acted on', async (t) => {
  const { call, shutdown } = await connect(t, testProvider({}));
  await call('Shutdown', {}, controllerService);
  await shutdown;
});

test('a client with another certificate is not served', async (t) => {
  const { server } = await connect(t, testProvider({}));
  const stranger = connectTo(server, selfSignedCertificate());
  await assert.rejects(stranger('GetMetadata', {}), /UNAVAILABLE/);
  stranger.close();
});
