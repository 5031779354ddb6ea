import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSetting, projectConfiguration } from './setting.ts';
import { unzip } from './unzip.ts';

const canary = 'canary-5f2c81d09b';
const forms = [canary, Buffer.from(canary).toString('base64'), Buffer.from(canary).toString('hex')];

const configuration = (version: number) => `${projectConfiguration('  name = "shop"')}
variable "value" {
  type      = string
  sensitive = true
  ephemeral = true
}

resource "ebb_secret" "token" {
  project_id       = ebb_project.shop.id
  name             = "TOKEN"
  value_wo         = var.value
  value_wo_version = ${version}
}
`;

function assertWithout(text: Buffer | string, place: string): void {
  for (const form of forms) assert.ok(!text.includes(form), `The secret is in ${place}.`);
}

test('the value of a secret reaches the API and no plan, state, output or log', async (t) => {
  const logs = { TF_LOG: 'trace', TF_LOG_PATH: 'trace.log' };
  const { api, workspace } = await createSetting(t, { TF_VAR_value: canary, ...logs });
  await workspace.write(configuration(1));
  const planned = await workspace.terraform('plan', '-out=saved', '-no-color');
  const applied = await workspace.terraform('apply', '-no-color', 'saved');
  assert.equal(applied.code, 0, planned.output + applied.output);
  assert.ok(api.requests.some((line) => line.startsWith('POST /v1/secrets') && line.includes(canary)));

  const contents = unzip(await workspace.read('saved'));
  assert.ok(contents.has('tfplan'));
  for (const [name, content] of contents) assertWithout(content, `the plan's ${name}`);
  for (const file of ['terraform.tfstate', 'trace.log']) assertWithout(await workspace.read(file), file);
  assertWithout(planned.output + applied.output, 'the output');
});

test('another version sends the value again, and the same version does not', async (t) => {
  const { api, workspace } = await createSetting(t, { TF_VAR_value: canary });
  await workspace.write(configuration(1));
  await workspace.terraform('apply', '-auto-approve', '-no-color');
  const again = await workspace.terraform('plan', '-detailed-exitcode', '-no-color');
  assert.equal(again.code, 0, again.output);
  await workspace.write(configuration(2));
  const raised = await workspace.terraform('apply', '-auto-approve', '-no-color');
  assert.equal(raised.code, 0, raised.output);
  assert.match(api.requests.at(-1) ?? '', new RegExp(`^PATCH /v1/secrets/\\S+ {"value":"${canary}"}$`));
});

test('a secret of the wrong form is refused without being shown', async (t) => {
  const { workspace } = await createSetting(t, { TF_VAR_value: canary.repeat(4000) });
  await workspace.write(configuration(1));
  const { code, output } = await workspace.terraform('plan', '-no-color');
  assert.equal(code, 1);
  assert.match(output, /Invalid value for value_wo/);
  assertWithout(output, 'the output');
});
