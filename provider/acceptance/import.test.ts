import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSetting, projectConfiguration } from './setting.ts';

const configuration = projectConfiguration('  name = "shop"\n  timeout_minutes = 30');

test('a project is imported by its natural id or its id, and then has no changes', async (t) => {
  const { api, workspace } = await createSetting(t);
  await workspace.write(configuration);
  const made = await workspace.terraform('apply', '-auto-approve', '-no-color');
  assert.equal(made.code, 0, made.output);
  const id = [...api.items.keys()].find((key) => key.startsWith('prj_')) ?? '';
  for (const name of ['acme/shop', id]) {
    await workspace.terraform('state', 'rm', 'ebb_project.shop');
    const imported = await workspace.terraform('import', '-no-color', 'ebb_project.shop', name);
    assert.equal(imported.code, 0, imported.output);
  }
  const { code, output } = await workspace.terraform('plan', '-detailed-exitcode', '-no-color');
  assert.equal(code, 0, output);
});

test('a name of the wrong form or of nothing is refused with the right form', async (t) => {
  const { workspace } = await createSetting(t);
  await workspace.write(configuration);
  const wrong = await workspace.terraform('import', '-no-color', 'ebb_project.shop', 'shop');
  assert.equal(wrong.code, 1);
  assert.match(wrong.output, /"shop" names no project\. Import it by its id or as team\/name\./);
  const none = await workspace.terraform('import', '-no-color', 'ebb_project.shop', 'acme/none');
  assert.equal(none.code, 1);
  assert.match(none.output, /There is no project "acme\/none"/);
});
