import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { anyRequest } from './malformed-requests-for-tests.ts';
import { providerMethods } from './protocol.ts';
import { connectRaw, framed, pathOf, rawCall } from './raw-client-for-tests.ts';
import { connect, open, thing, wire } from './serve-for-tests.ts';
import { wholeProvider } from './whole-provider-for-tests.ts';

const timeout = 120_000;
const megabyte = 1_000_000;

test('ten thousand malformed calls leave no more memory in use than a few', { timeout }, async (t) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { server, client, lines, call } = await connect(t, wholeProvider);
  const session = await connectRaw(t, server, client);
  const methods = Object.entries(providerMethods);
  const requests = methods.flatMap(([method, { request }]) =>
    fc
      .sample(anyRequest(request), 40)
      // Large ones take more time and keep nothing else.
      .filter((message) => message.length < 1_000)
      .map((message) => ({ path: pathOf(method), body: framed(message) })),
  );
  const used = () => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const round = async (calls: number) => {
    for (let sent = 0; sent < calls; sent += 100) {
      const some = Array.from({ length: 100 }, (_, index) => requests[(sent + index) % requests.length]);
      await Promise.all(some.map((one) => one && rawCall(session, one.path, one.body)));
      lines.length = 0;
    }
  };
  await round(1_000);
  const before = used();
  await round(10_000);
  assert.ok(used() - before < 24 * megabyte, `${(used() - before) / megabyte} MB more`);
  const read = await call('ReadResource', { type_name: 'test_thing', current_state: wire(thing) });
  assert.deepEqual([open(read.new_state), read.diagnostics], [thing, []]);
});
