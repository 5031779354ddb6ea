import assert from 'node:assert/strict';
import { after, before, mock, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KyselyPlugin } from 'kysely';
import { openTestContext, type TestContext } from '../test-context.ts';
import { replaceTokenKeys } from './rotate-token-key.ts';
import { createTokenSigner } from './token-signer.ts';

let given: TestContext;
before(async () => {
  given = await openTestContext();
});
after(() => given.close());

/** A signer whose answers from the database come when the test says so. */
function openSigner() {
  let held: Promise<void> | undefined;
  const holding: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      await held;
      return result;
    },
  };
  const { context } = given;
  const tokens = createTokenSigner({
    ...{ database: context.database.withPlugin(holding), sealing: context.custody.tokenKeySealing },
    ...{ issuer: context.publicUrl, now: context.now },
  });
  const hold = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    held = promise;
    return () => {
      held = undefined;
      resolve();
    };
  };
  return { tokens, hold };
}

async function drop(): Promise<void> {
  await replaceTokenKeys({ ...given.context, sealing: given.context.custody.tokenKeySealing }, 'operator');
}

const newToken = async ({ tokens }: ReturnType<typeof openSigner>) =>
  await tokens.sign({ sub: 'key_1', team: 'team_1', scope: 'builds:read' }, 900);

test('who asks while the keys are read is told of those that there are then, not of those that are dropped', async () => {
  const token = await newToken(openSigner());
  const slow = openSigner();
  const release = slow.hold();
  const before = slow.tokens.verify(token);
  // Its answer is on the way.
  await sleep(200);
  await drop();
  const later = slow.tokens.verify(token);
  release();
  assert.equal((await before)?.sub, 'key_1');
  assert.equal(await later, undefined);
});

test('a clock that is set back keeps no dropped key good', async () => {
  const signer = openSigner();
  const token = await newToken(signer);
  assert.ok(await signer.tokens.verify(token));
  const real = Date.now;
  mock.method(Date, 'now', () => real() - 3_600_000);
  try {
    await drop();
    await sleep(1_100);
    assert.equal(await signer.tokens.verify(token), undefined);
  } finally {
    mock.restoreAll();
  }
});
