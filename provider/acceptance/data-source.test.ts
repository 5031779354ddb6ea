import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSetting, projectConfiguration } from './setting.ts';

test('a project is found by its natural id and by its id', async (t) => {
  const { workspace } = await createSetting(t);
  await workspace.write(`${projectConfiguration('  name = "shop"\n  deploy = [{ branch = "main", commands = ["./d"] }]')}
data "ebb_project" "by_name" {
  natural_id = "acme/\${ebb_project.shop.name}"
}

data "ebb_project" "by_id" {
  id = ebb_project.shop.id
}

output "commands" {
  value = [data.ebb_project.by_name.deploy[0].commands, data.ebb_project.by_id.deploy[0].commands]
}
`);
  const applied = await workspace.terraform('apply', '-auto-approve', '-no-color');
  assert.equal(applied.code, 0, applied.output);
  const { output } = await workspace.terraform('output', '-json', 'commands');
  assert.deepEqual(JSON.parse(output), [['./d'], ['./d']]);
});

test('what cannot be found, or is asked for twice over, is told', async (t) => {
  const { workspace } = await createSetting(t);
  await workspace.write('data "ebb_project" "none" {\n  natural_id = "acme/none"\n}\n');
  const none = await workspace.terraform('plan', '-no-color');
  assert.match(none.output, /There is no project "acme\/none"/);
  await workspace.write('data "ebb_project" "none" {\n  natural_id = "acme/none"\n  id = "x"\n}\n');
  const twice = await workspace.terraform('validate', '-no-color');
  assert.match(twice.output, /One of id and natural_id is needed/);
});
