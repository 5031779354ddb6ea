import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createEc2Api } from '../runner/vm/ec2/ec2-api.ts';
import { type Moto, startMoto } from '../runner/vm/ec2/moto-for-tests.ts';
import { templateProblems } from '../runner/vm/ec2/preflight.ts';
import { Core } from '../stacks/platform/core.ts';
import { settle } from '../stacks/platform/settings.ts';
import { makeTestStack, sampleProps, type TestStack } from './platform-for-tests.ts';

// Network, keys, roles, secrets and the template: what needs no minutes and the emulator knows. npm run
// test:platform-full adds database, load balancer and services.
let moto: Moto;
let stack: TestStack;

before(async () => {
  moto = await startMoto();
  stack = await makeTestStack((scope) => {
    new Core(
      scope,
      'core',
      settle({ ...sampleProps, machineImage: moto.imageId, database: { protected: false } }),
    );
  }, moto.url);
});
after(async () => {
  await stack?.remove();
  await moto?.close();
});

test('the core of a platform is applied, plans no change, keeps no secret, suits runners, and is destroyed', async () => {
  await stack.terraform.run(['apply', '-auto-approve', '-input=false']);
  const again = await stack.terraform.run(['plan', '-detailed-exitcode', '-input=false'], [0, 2]);
  assert.equal(again.code, 0, again.output);

  const state = await readFile(join(stack.folder, 'terraform.tfstate'), 'utf8');
  assert.doesNotMatch(state, /canary-/);
  const template = JSON.parse(state).resources.find(
    ({ type }: { type: string }) => type === 'aws_launch_template',
  );
  const api = createEc2Api({ region: 'eu-central-1', endpoint: moto.url });
  const { id } = template.instances[0].attributes;
  const data = await api.template(id, '$Latest', AbortSignal.timeout(20_000));
  api.close();
  assert.deepEqual(templateProblems(data), [], "the runner's own look at the template");

  await stack.terraform.run(['destroy', '-auto-approve', '-input=false']);
  const left = JSON.parse(await readFile(join(stack.folder, 'terraform.tfstate'), 'utf8'));
  assert.deepEqual(left.resources, []);
});
