import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problem } from './fake-resources.ts';
import { createSetting, projectConfiguration } from './setting.ts';
import { flat } from './terraform.ts';

test('timeouts are kept, changed without a request, and bound how long Terraform tries', async (t) => {
  const { api, workspace } = await createSetting(t);
  const apply = async (timeouts: string) => {
    await workspace.write(projectConfiguration(`  name = "shop"\n  ${timeouts}`));
    return workspace.terraform('apply', '-auto-approve', '-no-color');
  };
  const unavailable = problem(503, 'Not now.');
  api.interfere(/POST \/v1\/projects/, ...Array.from({ length: 20 }, () => unavailable));
  const late = await apply('timeouts = { create = "100ms" }');
  assert.equal(late.code, 1);
  assert.match(
    flat(late.output),
    /The create took too long .*within 100ms and may still do so.*raise timeouts\.create/,
  );

  const patient = await createSetting(t);
  await patient.workspace.write(projectConfiguration('  name = "shop"\n  timeouts = { create = "10m" }'));
  const made = await patient.workspace.terraform('apply', '-auto-approve', '-no-color');
  assert.equal(made.code, 0, made.output);
  const asked = patient.api.requests.filter((line) => !line.startsWith('GET')).length;
  await patient.workspace.write(projectConfiguration('  name = "shop"\n  timeouts = { delete = "1h" }'));
  const changed = await patient.workspace.terraform('apply', '-auto-approve', '-no-color');
  assert.match(changed.output, /1 changed/);
  assert.equal(patient.api.requests.filter((line) => !line.startsWith('GET')).length, asked);
  const planned = await patient.workspace.terraform('plan', '-detailed-exitcode', '-no-color');
  assert.equal(planned.code, 0, planned.output);
});

test('what is no duration shows in validate', async (t) => {
  const { workspace } = await createSetting(t);
  await workspace.write(projectConfiguration('  name = "shop"\n  timeouts = { create = "soon" }'));
  const { code, output } = await workspace.terraform('validate', '-no-color');
  assert.equal(code, 1);
  assert.match(output, /Invalid value for timeouts\.create/);
});
