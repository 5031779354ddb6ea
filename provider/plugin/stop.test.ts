import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeValue } from './encode-value.ts';
import { connect, open, schema, testProvider, thing, wire } from './serve-for-tests.ts';
import type { Value } from './value.ts';

test('StopProvider ends what is under way, of whatever kind, and keeps the state that there was', {
  timeout: 60_000,
}, async (t) => {
  let begun = 0;
  const allBegun = Promise.withResolvers<void>();
  const kinds = 8;
  async function endless({ signal }: { signal: AbortSignal }): Promise<never> {
    begun += 1;
    if (begun === kinds) allBegun.resolve();
    await sleep(3_600_000, undefined, { signal });
    throw new Error('It was not stopped.');
  }
  async function* endlessly(context: { signal: AbortSignal }): AsyncGenerator<never> {
    yield await endless(context);
  }
  const identity = {
    ...{ version: 0, attributes: { id: { type: 'string' as const, description: '', required: true } } },
    of: ({ id = null }: { [name: string]: Value }) => ({ id }),
  };
  const { call, stream } = await connect(
    t,
    testProvider(
      { identity, create: endless, read: endless, update: endless, delete: endless, import: endless },
      {
        dataSources: { test_thing: { schema, read: endless } },
        ephemeralResources: { test_thing: { schema, open: endless } },
        listResources: { test_thing: { schema: { ...schema, attributes: {} }, list: endlessly } },
      },
    ),
  );
  const type_name = 'test_thing';
  const config = wire({ ...thing, id: null });
  const asked = { type_name, config };
  const calls = [
    call('ReadResource', { type_name, current_state: wire(thing) }),
    call('ApplyResourceChange', { ...asked, prior_state: wire(thing), planned_state: wire(thing) }),
    call('ApplyResourceChange', { type_name, prior_state: wire(thing), planned_state: wire(null) }),
    call('ApplyResourceChange', { ...asked, prior_state: wire(null), planned_state: config }),
    call('ImportResourceState', { type_name, id: 't1' }),
    call('ReadDataSource', asked),
    call('OpenEphemeralResource', asked),
  ];
  const listing = stream('ListResource', { type_name, config: { msgpack: encodeValue({}, ['object', {}]) } });
  await allBegun.promise;
  await call('StopProvider', {});
  const answers = await Promise.all(calls);
  const [listed] = await listing;
  for (const { diagnostics } of answers)
    assert.partialDeepStrictEqual(diagnostics, [{ summary: 'Interrupted' }]);
  assert.partialDeepStrictEqual(listed, { diagnostic: [{ summary: 'Interrupted' }] });
  assert.deepEqual(
    answers.slice(0, 4).map(({ new_state }) => open(new_state)),
    [thing, thing, thing, null],
  );
});
