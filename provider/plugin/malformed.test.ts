import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { anyRequest, planted } from './malformed-requests-for-tests.ts';
import { codecOf, providerMethods } from './protocol.ts';
import { connectRaw, framed, pathOf, type RawAnswer, rawCall } from './raw-client-for-tests.ts';
import { connect, open, thing, wire } from './serve-for-tests.ts';
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
      { numRuns: 60 },
    );
    await isWell();
  });
}
