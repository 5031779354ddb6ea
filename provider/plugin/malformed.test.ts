import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { failure } from './diagnostic.ts';
import { anyRequest, planted } from './malformed-requests-for-tests.ts';
import { codecOf, providerMethods } from './protocol.ts';
import { connectRaw, framed, pathOf, type RawAnswer, rawCall } from './raw-client-for-tests.ts';
import { connect, open, testProvider, thing, wire } from './serve-for-tests.ts';
import { wholeProvider } from './whole-provider-for-tests.ts';

const timeout = 120_000;

async function served(t: TestContext) {
  const connected = await connect(t, wholeProvider);
  const session = await connectRaw(t, connected.server, connected.client);
  const send = (method: string, message: Uint8Array) => rawCall(session, pathOf(method), framed(message));
  const isWell = async () => {
    const answer = await connected.call('ReadResource', {
      type_name: 'test_thing',
      current_state: wire(thing),
    });
    assert.deepEqual([open(answer.new_state), answer.diagnostics], [thing, []]);
  };
  return { ...connected, send, isWell };
}

/** Each message of an answer, read as what the method answers with. */
function messagesOf({ body }: RawAnswer, response: string): object[] {
  const messages: object[] = [];
  for (let at = 0; at < body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    messages.push(codecOf(response).decode(body.subarray(at + 5, end)));
    at = end;
  }
  return messages;
}

test('what a failed call keeps of a state has no write-only value, and nothing that cannot be read', {
  timeout,
}, async (t) => {
  const fail = () => Promise.reject(failure('Not now', 'Try again.'));
  const { call } = await connect(t, testProvider({ read: fail, update: fail }));
  const leaky = wire({ ...thing, secret_wo: planted });
  const broken = { msgpack: Buffer.concat([leaky.msgpack, Buffer.of(0)]) };
  const requests = (state: object): [string, object][] => [
    ['ReadResource', { current_state: state }],
    ['ApplyResourceChange', { prior_state: state, planned_state: wire(thing), config: wire(thing) }],
  ];
  const kept = async (state: object) => {
    const calls = requests(state).map(([method, request]) =>
      call(method, { type_name: 'test_thing', ...request }),
    );
    return (await Promise.all(calls)).map(({ new_state }) => open(new_state));
  };
  assert.deepEqual(await kept(leaky), [thing, thing]);
  assert.deepEqual(await kept(broken), [null, null]);
});

test('state of a time when a value was not write-only yet is brought up without it', {
  timeout,
}, async (t) => {
  const { call } = await connect(t, wholeProvider);
  const raw_state = { json: Buffer.from(JSON.stringify({ ...thing, secret_wo: planted })) };
  const answer = await call('UpgradeResourceState', { type_name: 'test_thing', version: 0, raw_state });
  assert.deepEqual(open(answer.upgraded_state), thing);
});

test("types and functions with names of JavaScript's own are ones that there are not", {
  timeout,
}, async (t) => {
  const { call } = await connect(t, wholeProvider);
  for (const name of ['constructor', '__proto__', 'toString']) {
    const { diagnostics } = await call('ReadDataSource', { type_name: name, config: wire(thing) });
    assert.partialDeepStrictEqual(diagnostics, [{ summary: 'Unknown data source' }]);
    const { error } = await call('CallFunction', { name });
    assert.match((error as { text: string }).text, /has no function/);
  }
});

for (const [method, { request, response }] of Object.entries(providerMethods)) {
  test(`${method} answers whatever it is sent, tells no secret of it, and goes on`, {
    timeout,
  }, async (t) => {
    const { send, lines, isWell } = await served(t);
    await fc.assert(
      fc.asyncProperty(anyRequest(request), async (message) => {
        const answer = await send(method, message);
        assert.notEqual(answer.grpcStatus, undefined);
        assert.equal(messagesOf(answer, response).length > 0, answer.grpcStatus === 0);
        const told = `${answer.body.toString('latin1')}${answer.grpcMessage}${lines.splice(0).join('')}`;
        assert.ok(!told.includes(planted), told);
      }),
      { numRuns: 40 },
    );
    await isWell();
  });
}
