import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startMoto } from '../runner/vm/ec2/moto-for-tests.ts';
import { Core } from '../stacks/platform/core.ts';
import { Database } from '../stacks/platform/database.ts';
import { Service } from '../stacks/platform/service.ts';
import { settle } from '../stacks/platform/settings.ts';
import { makeTestStack, sampleProps } from './platform-for-tests.ts';

// Takes minutes: npm run test:platform-full. Redis is left out, because moto has no replication groups.
test('all of a platform that the emulator knows is applied, plans no change and is destroyed', async (t) => {
  const moto = await startMoto();
  t.after(() => moto.close());
  const stack = await makeTestStack((scope) => {
    const settings = settle({
      ...sampleProps,
      machineImage: moto.imageId,
      keyCiphertext: 'AQIDBA==',
      keyEncryptionPublicKey: '{"kty":"EC"}',
      // A protected one could not be destroyed.
      database: { protected: false },
    });
    const core = new Core(scope, 'core', settings);
    new Database(scope, 'database', settings, core);
    new Service(scope, 'service', settings, core);
  }, moto.url);
  t.after(() => stack.remove());
  await stack.terraform.run(['apply', '-auto-approve', '-input=false']);
  const again = await stack.terraform.run(['plan', '-detailed-exitcode', '-input=false'], [0, 2]);
  assert.equal(again.code, 0, again.output);
  await stack.terraform.run(['destroy', '-auto-approve', '-input=false']);
});
