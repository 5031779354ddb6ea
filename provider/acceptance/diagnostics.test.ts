import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problem } from './fake-resources.ts';
import { createSetting, projectConfiguration } from './setting.ts';
import { flat } from './terraform.ts';

test('mistakes show in validate, at their lines, before anything is asked', async (t) => {
  const { api, workspace } = await createSetting(t);
  await workspace.write(
    projectConfiguration(
      '  name            = "Shop!"\n  timeout_minutes = 0\n  deploy = [{ branch = "main", commands = [] }]',
    ),
  );
  const { code, output } = await workspace.terraform('validate', '-no-color');
  assert.equal(code, 1);
  assert.match(
    flat(output),
    /Invalid value for name .* line \d+, in resource "ebb_project" "shop": \d+: name = "Shop!"/,
  );
  assert.match(flat(output), /Invalid value for timeout_minutes .* It must be at least 1/);
  assert.match(flat(output), /Invalid value for deploy\[0\]\.commands/);
  assert.deepEqual(api.requests, []);
});

test('what the API refuses is told at the attribute', async (t) => {
  const { api, workspace } = await createSetting(t);
  const errors = [
    { pointer: '#/name', detail: 'A project of this name exists. Choose another or import it.' },
  ];
  api.interfere(/POST \/v1\/projects/, problem(409, 'Taken.', errors));
  await workspace.write(projectConfiguration('  name = "shop"'));
  const { code, output } = await workspace.terraform('apply', '-auto-approve', '-no-color');
  assert.equal(code, 1);
  assert.match(
    flat(output),
    /Cannot create the project .*: name = "shop" A project of this name exists\. Choose another or import it\. Request req_test, status 409/,
  );
});

test('a refused key and a missing endpoint are told with what to set', async (t) => {
  const { workspace } = await createSetting(t, { EBB_API_KEY: 'ebb_wrong_key' });
  await workspace.write(projectConfiguration('  name = "shop"'));
  const refused = await workspace.terraform('plan', '-no-color');
  assert.equal(refused.code, 1);
  assert.match(flat(refused.output), /refused the API key\. Check "api_key" \(or EBB_API_KEY\)/);
  assert.ok(!refused.output.includes('ebb_wrong_key'));

  const missing = await createSetting(t, { EBB_ENDPOINT: '' });
  await missing.workspace.write(projectConfiguration('  name = "shop"'));
  const { code, output } = await missing.workspace.terraform('plan', '-no-color');
  assert.equal(code, 1);
  assert.match(
    flat(output),
    /set "endpoint" in the provider block, or the environment variable EBB_ENDPOINT/,
  );
});

test('an endpoint that is unencrypted is refused at its line in validate', async (t) => {
  const { workspace } = await createSetting(t);
  await workspace.write(
    `provider "ebb" {\n  endpoint = "http://ebb.example.com"\n}\n${projectConfiguration('  name = "shop"')}`,
  );
  const { code, output } = await workspace.terraform('validate', '-no-color');
  assert.equal(code, 1);
  assert.match(
    flat(output),
    /in provider "ebb": \d+: endpoint = "http:\/\/ebb\.example\.com" .* unencrypted: use https/,
  );
});

test('new resources can be planned while the endpoint is not known yet', async (t) => {
  const { workspace } = await createSetting(t);
  await workspace.write(
    `resource "terraform_data" "later" {\n  input = "http://127.0.0.1:1"\n}\nprovider "ebb" {\n  endpoint = terraform_data.later.output\n}\n${projectConfiguration('  name = "shop"')}`,
  );
  const { code, output } = await workspace.terraform('plan', '-no-color');
  assert.equal(code, 0, output);
  assert.match(output, /3 to add/);
});
