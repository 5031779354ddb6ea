import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type GithubStandIn, startGithub } from '../api/source-hosts/github/github-for-tests.ts';
import { createTerraform } from '../cli/demo/terraform.ts';
import { installProvider } from '../cli/dev/install-provider.ts';
import { startRedis } from '../queue/test-redis.ts';
import { type ApiForTests, startApi } from './api-for-tests.ts';
import { startPostgres } from './postgres.ts';

// A large apply against GitHub's limits; it takes as long as they want, so it is not among the quick tests.
const count = Number(process.env.EBB_PROJECTS ?? 200);
const creationsPerMinute = 80;
const signal = AbortSignal.timeout(30 * 60_000);

let root: string;
let github: GithubStandIn;
let api: ApiForTests;
let limited = 0;
const opened: (() => Promise<unknown>)[] = [];

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'ebb-many-'));
  opened.push(() => rm(root, { recursive: true, force: true }));
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  opened.push(postgres.close, redis.close);
  github = await startGithub(join(root, 'github'));
  opened.push(github.close);
  for (let index = 0; index < count; index += 1) await github.addRepository(`acme/shop-${index}`);
  limitCreations();
  api = await startApi({ folder: join(root, 'api'), databaseUrl: postgres.url, redisUrl: redis.url, signal });
  opened.push(() => api.stop());
});
after(async () => {
  while (opened.length > 0) await opened.pop()?.();
});

/** The secondary limit that GitHub documents for what creates content, and a little trouble besides. */
function limitCreations(): void {
  const times: number[] = [];
  let requests = 0;
  github.limit.of = (method) => {
    requests += 1;
    if (method !== 'POST') return undefined;
    const now = Date.now();
    while (times[0] !== undefined && times[0] < now - 60_000) times.shift();
    if (requests % 97 === 0) return { status: 502 };
    if (times.length < creationsPerMinute) {
      times.push(now);
      return undefined;
    }
    limited += 1;
    const message =
      'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.';
    const documentation_url = 'https://docs.github.com/rest/overview/rate-limits-for-the-rest-api';
    return { status: 403, headers: { 'retry-after': '10' }, body: { message, documentation_url } };
  };
}

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
locals {
  names = toset([for index in range(${count}) : "shop-\${index}"])
}
resource "ebb_connection" "github" {
  name             = "github"
  kind             = "github"
  url              = "URL"
  ssh_address      = "SSH"
  token_wo         = var.token
  token_wo_version = 1
}
resource "ebb_project" "all" {
  for_each      = local.names
  connection_id = ebb_connection.github.id
  name          = each.key
  repository    = "acme/\${each.key}"
}
resource "ebb_deploy_key" "all" {
  for_each   = local.names
  project_id = ebb_project.all[each.key].id
}
resource "ebb_hook_binding" "all" {
  for_each   = local.names
  project_id = ebb_deploy_key.all[each.key].project_id
}
`;

test(`${count} projects are applied and destroyed within GitHub's limits, slowly and without an error`, async () => {
  const folder = join(root, 'stack');
  await mkdir(folder);
  await writeFile(
    join(folder, 'main.tf'),
    program.replace('URL', github.url).replace('SSH', github.sshAddress),
  );
  const terraform = createTerraform({
    folder,
    environment: {
      EBB_ENDPOINT: api.url,
      EBB_API_KEY: api.adminKey,
      TF_CLI_CONFIG_FILE: await installProvider({ folder: root, signal, onProgress: () => {} }),
      TF_VAR_token: github.token.value,
    },
    timeoutMs: 25 * 60_000,
    signal,
  });
  await terraform.run(['init']);
  const start = Date.now();
  await terraform.run(['apply', '-auto-approve']);
  console.log(
    `applied ${count} projects in ${Math.round((Date.now() - start) / 1000)} s; GitHub limited ${limited} requests`,
  );
  assert.equal((await terraform.run(['plan', '-detailed-exitcode'], [0, 2])).code, 0);
  for (let index = 0; index < count; index += 1) {
    const { keys, hooks } = github.repository(`acme/shop-${index}`);
    assert.deepEqual([keys.size, hooks.size], [1, 1], `shop-${index}`);
  }
  const destroying = Date.now();
  await terraform.run(['destroy', '-auto-approve']);
  console.log(`destroyed in ${Math.round((Date.now() - destroying) / 1000)} s`);
  for (let index = 0; index < count; index += 1) {
    const { keys, hooks } = github.repository(`acme/shop-${index}`);
    assert.deepEqual([keys.size, hooks.size], [0, 0], `shop-${index}`);
  }
});
