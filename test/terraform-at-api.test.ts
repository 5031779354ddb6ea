import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { AuditEvent } from '../contract/audit.ts';
import type { Workspace } from '../provider/acceptance/terraform.ts';
import { startTerraformSetting, succeeds, type TerraformSetting } from './terraform-setting.ts';

let setting: TerraformSetting;
let workspace: Workspace;

const everything = `
resource "ebb_connection" "local" {
  name = "local"
  kind = "local"
}
resource "ebb_project" "shop" {
  connection_id = ebb_connection.local.id
  name          = "shop"
  repository    = "shop"
  test          = ["./test.sh"]
  environment   = { REGION = "eu" }
}
resource "ebb_deploy_key" "shop" {
  project_id = ebb_project.shop.id
}
resource "ebb_hook_binding" "shop" {
  project_id = ebb_project.shop.id
  branches   = ["main", "release/*"]
}
resource "ebb_secret" "token" {
  project_id       = ebb_project.shop.id
  name             = "TOKEN"
  value_wo         = ephemeral.ebb_token.ci.token
  value_wo_version = 1
}
ephemeral "ebb_token" "ci" {
  scopes     = ["builds:read", "builds:write"]
  project_id = ebb_project.shop.id
}
data "ebb_jwks" "ebb" {}
data "ebb_builds" "last" {
  project_id = ebb_project.shop.id
  limit      = 5
}
output "builds" {
  value = length(data.ebb_builds.last.builds)
}
output "keys" {
  value = [for key in data.ebb_jwks.ebb.keys : key.ebb_use]
}
output "repository" {
  value = provider::ebb::parse_repository_url("git@github.com:acme/shop.git").repository
}
output "fingerprint" {
  value = provider::ebb::public_key_fingerprint(ebb_deploy_key.shop.public_key) == ebb_deploy_key.shop.fingerprint
}
`;

/** By the address of each, what names it to people. */
const naturalIds = {
  'ebb_connection.local': 'local',
  'ebb_project.shop': 'shop',
  'ebb_deploy_key.shop': 'shop',
  'ebb_hook_binding.shop': 'shop',
  'ebb_secret.token': 'shop/TOKEN',
};

before(async () => {
  setting = await startTerraformSetting(AbortSignal.timeout(300_000));
  setting.makeRepositories('shop');
  workspace = await setting.workspace();
});
after(() => setting?.close());

const outputs = async () => {
  const told: Record<string, { value: unknown }> = JSON.parse(await succeeds(workspace, 'output', '-json'));
  return Object.fromEntries(Object.entries(told).map(([name, { value }]) => [name, value]));
};

test('everything is applied at once, with what data sources and functions give', async () => {
  await workspace.write(everything);
  await succeeds(workspace, 'apply', '-auto-approve');
  const { keys, ...rest } = await outputs();
  assert.deepEqual(rest, { builds: 0, repository: 'acme/shop', fingerprint: true });
  assert.deepEqual((keys as string[]).sort(), ['receipt', 'token']);
  await succeeds(workspace, 'plan', '-detailed-exitcode');
});

test('an ephemeral token is limited as asked, is in no state, and is revoked when Terraform is done', async () => {
  const { items } = await setting.api.client.get<{ items: AuditEvent[] }>('/v1/audit-events?limit=100');
  const issued = items.filter(({ action, detail }) => action === 'token.issued' && detail.project);
  assert.ok(issued.length >= 1);
  for (const { detail } of issued) {
    assert.equal(detail.scope, 'builds:read builds:write');
    const ends = items.filter((one) => one.action === 'token.revoked' && one.detail.token === detail.token);
    assert.equal(ends.length, 1);
  }
  // The header of a JWT, in base64.
  assert.doesNotMatch(String(await workspace.read('terraform.tfstate')), /eyJhbGci/);
});

test('a scope that there is not is refused by its name', async () => {
  await workspace.write('ephemeral "ebb_token" "ci" {\n  scopes = ["builds:destroy"]\n}\n');
  const { code, output } = await workspace.terraform('validate', '-no-color');
  assert.equal(code, 1);
  assert.match(output, /"builds:destroy" is no scope\. There are: projects:read/);
});

test('each thing is imported by its natural id, and what Terraform writes of it plans no change', async () => {
  const blocks = Object.entries(naturalIds).map(([to, id]) => {
    const team = 'default';
    return `import {\n  to = ${to}\n  id = "${team}/${id}"\n}\n`;
  });
  const addresses = Object.keys(naturalIds).reverse();
  await succeeds(workspace, 'state', 'rm', ...addresses);
  await workspace.write(blocks.join(''));
  await succeeds(workspace, 'plan', '-generate-config-out=generated.tf');
  await succeeds(workspace, 'apply', '-auto-approve');
  await workspace.write('');
  await succeeds(workspace, 'plan', '-detailed-exitcode');
});

test('what is made anew needs its secret', async () => {
  await workspace.write(`
resource "ebb_secret" "other" {
  project_id = ebb_project.shop.id
  name       = "OTHER"
}
`);
  const { code, output } = await workspace.terraform('plan', '-no-color');
  assert.equal(code, 1);
  assert.match(output, /Missing required argument[\s\S]*"value_wo" is required to make a new one/);
});

test('TF_LOG=debug shows what was asked of Ebb, and how long that took', async () => {
  const talkative = await setting.workspace({ TF_LOG: 'debug', TF_LOG_PATH: 'debug.log' });
  await talkative.write('data "ebb_project" "shop" {\n  natural_id = "default/shop"\n}\n');
  await succeeds(talkative, 'plan');
  const lines = String(await talkative.read('debug.log')).split('\n');
  // Terraform writes the fields of a line in random order.
  const asked = [
    /method=GET/,
    /path="?\/v1\/projects\?natural_id=default%2Fshop"?/,
    /status=200/,
    /milliseconds=\d+/,
  ];
  const served = [/rpc=ReadDataSource/, /milliseconds=\d+/];
  const hasLine = (start: RegExp, fields: RegExp[]) =>
    lines.some((line) => [start, ...fields].every((field) => field.test(line)));
  assert.ok(hasLine(/request: /, asked), lines.join('\n'));
  assert.ok(hasLine(/call served: /, served), lines.join('\n'));
});
