import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { type GithubStandIn, startGithub } from '../api/source-hosts/github/github-for-tests.ts';
import { createTerraform, type Terraform } from '../cli/demo/terraform.ts';
import { installProvider } from '../cli/dev/install-provider.ts';
import { startRedis } from '../queue/test-redis.ts';
import { type ApiForTests, startApi } from './api-for-tests.ts';
import { startPostgres } from './postgres.ts';

const signal = AbortSignal.timeout(300_000);

let github: GithubStandIn;
let api: ApiForTests;
let database: pg.Client;
let terraform: Terraform;
const opened: (() => Promise<unknown>)[] = [];

const program = `
terraform {
  required_providers {
    ebb = { source = "ebb-ci/ebb", version = "0.1.0" }
  }
}
provider "ebb" {}
variable "token" {
  type      = string
  ephemeral = true
}
resource "ebb_connection" "github" {
  name             = "github"
  kind             = "github"
  url              = "URL"
  ssh_address      = "SSH"
  token_wo         = var.token
  token_wo_version = 1
}
resource "ebb_project" "shop" {
  connection_id = ebb_connection.github.id
  name          = "shop"
  repository    = "acme/shop"
}
resource "ebb_deploy_key" "shop" {
  project_id = ebb_project.shop.id
}
resource "ebb_hook_binding" "shop" {
  project_id = ebb_project.shop.id
}
`;

before(async () => {
  const root = await mkdtemp(join(tmpdir(), 'ebb-refused-'));
  opened.push(() => rm(root, { recursive: true, force: true }));
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  opened.push(postgres.close, redis.close);
  github = await startGithub(join(root, 'github'));
  opened.push(github.close);
  await github.addRepository('acme/shop');
  api = await startApi({ folder: join(root, 'api'), databaseUrl: postgres.url, redisUrl: redis.url, signal });
  opened.push(() => api.stop());
  database = new pg.Client({ connectionString: postgres.url });
  await database.connect();
  opened.push(() => database.end());
  const folder = join(root, 'stack');
  await mkdir(folder);
  const main = program.replace('URL', github.url).replace('SSH', github.sshAddress);
  await writeFile(join(folder, 'main.tf'), main);
  terraform = createTerraform({
    folder,
    environment: {
      EBB_ENDPOINT: api.url,
      EBB_API_KEY: api.adminKey,
      TF_CLI_CONFIG_FILE: await installProvider({ folder: root, signal, onProgress: () => {} }),
      TF_VAR_token: github.token.value,
    },
    signal,
  });
  await terraform.run(['init']);
  await terraform.run(['apply', '-auto-approve']);
});
after(async () => {
  while (opened.length > 0) await opened.pop()?.();
});

/** Without the frame that Terraform draws around lines. */
const words = (output: string) => output.replace(/[\s│╷╵]+/g, ' ');

test('a deploy key that was removed at GitHub by hand is planned anew, and nothing else', async () => {
  github.repository('acme/shop').keys.clear();
  const plan = await terraform.run(['plan', '-detailed-exitcode'], [2]);
  assert.match(plan.output, /ebb_deploy_key\.shop will be created/);
  assert.match(plan.output, /Plan: 1 to add, 0 to change, 0 to destroy/);
  await terraform.run(['apply', '-auto-approve']);
});

test('terraform destroy fails with what to remove by hand and where, opens nothing any more, and can be repeated', async () => {
  const documentation_url = 'https://docs.github.com/rest';
  const body = { message: 'Repository was archived so is read-only.', documentation_url };
  github.limit.of = (method) => (method === 'DELETE' ? { status: 403, body } : undefined);
  const { output } = await terraform.run(['destroy', '-auto-approve'], [1]);
  const { rows } = await database.query('select fingerprint, sealed_private_key from deploy_key');
  assert.equal(rows[0]?.sealed_private_key, '');
  for (const told of [
    'the deploy key "Ebb: default/shop"',
    rows[0]?.fingerprint,
    `${github.url}/acme/shop/settings/keys`,
    `${github.url}/acme/shop/settings/hooks`,
    'Repository was archived',
  ]) {
    assert.ok(words(output).includes(told), `${told}: ${output}`);
  }

  const { keys, hooks } = github.repository('acme/shop');
  keys.clear();
  hooks.clear();
  await terraform.run(['destroy', '-auto-approve']);
  assert.equal(
    (await terraform.run(['show'])).output.trim(),
    'The state file is empty. No resources are represented.',
  );
  const { items } = await api.client.get<{ items: { kind: string }[] }>('/v1/receipts');
  assert.deepEqual(
    items.map(({ kind }) => kind),
    ['revocation'],
  );
});
