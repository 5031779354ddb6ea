import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type GithubStandIn, startGithub } from '../api/source-hosts/github/github-for-tests.ts';
import { createClient } from '../cli/client.ts';
import { findBuild, whenVmIsGone } from '../cli/demo/next-build.ts';
import { createTerraform, type Terraform } from '../cli/demo/terraform.ts';
import { type DevSystem, startDevSystem } from '../cli/dev/dev-system.ts';
import { pinHostKey } from '../cli/dev/developer-key.ts';
import { installProvider } from '../cli/dev/install-provider.ts';
import { createSampleRepository, type SampleRepository } from '../cli/dev/sample-repository.ts';

// examples/github, as its README has it, with GitHub being the stand-in that is held to GitHub's published OpenAPI.
let root: string;
let github: GithubStandIn;
let system: DevSystem;
let terraformConfig: string;
const signal = AbortSignal.timeout(8 * 60_000);

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'ebb-at-github-'));
  github = await startGithub(join(root, 'github'));
  terraformConfig = await installProvider({ folder: root, signal, onProgress: () => {} });
  const folder = join(root, 'system');
  system = await startDevSystem({ folder, cacheDir: resolve('.ebb', 'cache'), port: 0, signal });
  await github.git.authorizeUser(await readFile(`${system.developer.privateKeyPath}.pub`, 'utf8'));
  await pinHostKey(system.developer, '127.0.0.1', github.git.port, github.git.hostKey);
});
after(async () => {
  await system?.close();
  await github?.close();
  await rm(root, { recursive: true, force: true });
  assert.deepEqual(github.violations, []);
});

function terraformIn(folder: string, repository: string, variables: Record<string, string> = {}): Terraform {
  return createTerraform({
    folder,
    environment: {
      EBB_ENDPOINT: system.url,
      EBB_API_KEY: system.adminKey,
      TF_CLI_CONFIG_FILE: terraformConfig,
      TF_VAR_github_token: github.token.value,
      ...variables,
      TF_VAR_repository: repository,
      TF_VAR_name: repository.replace('/', '-'),
    },
    signal,
  });
}

async function clone(repository: string): Promise<SampleRepository> {
  const source = github.git.host.clone(repository);
  const sample = await createSampleRepository({
    folder: join(root, repository),
    url: `ssh://git@127.0.0.1:${source.port}${source.path}`,
    sshCommand: system.developer.sshCommand,
  });
  await sample.edit('test.sh', () => '#!/bin/sh\ngit log -1 --format=%s\n');
  await sample.edit('deploy.sh', () => '#!/bin/sh\necho deployed\n');
  return sample;
}

test('applied by CDKTF: a push is built on a VM, GitHub shows how it went, destroying leaves nothing there', async () => {
  const { statuses, keys, hooks } = await github.addRepository('acme/shop');
  const cwd = join(root, 'cdktf');
  await mkdir(cwd);
  const { PATH = '' } = process.env;
  const env = { PATH, GITHUB_URL: github.url, GITHUB_SSH_ADDRESS: github.sshAddress };
  await promisify(execFile)(process.execPath, [resolve('examples/github/main.ts')], { cwd, env });
  const folder = join(cwd, 'cdktf.out', 'stacks', 'github');
  const terraform = terraformIn(folder, 'acme/shop');
  await terraform.run(['init']);
  await terraform.run(['apply', '-auto-approve']);
  assert.equal((await terraform.run(['plan', '-detailed-exitcode'], [0, 2])).code, 0, 'nothing to change');
  assert.deepEqual([keys.size, hooks.size], [1, 1]);
  const state = await readFile(join(folder, 'terraform.tfstate'), 'utf8');
  assert.ok(!state.includes(github.token.value), 'the token is in no state');

  const sample = await clone('acme/shop');
  const commit = await sample.push('Open the shop');
  const { project_id } = JSON.parse((await terraform.run(['output', '-json'])).output);
  const client = createClient({ endpoint: system.url, apiKey: system.adminKey });
  const found = await findBuild({ client, projectId: project_id.value, commit, signal });
  for (;;) {
    const status = statuses.at(-1);
    if (status && status.state !== 'pending') break;
    await sleep(100, undefined, { signal });
  }
  const build = await whenVmIsGone(client, found.id, signal);
  assert.equal(build.state, 'passed', build.reason ?? '');
  const last = statuses.at(-1);
  assert.deepEqual([last?.sha, last?.state, last?.context], [commit, 'success', 'ebb/acme-shop']);
  assert.match(last?.description ?? '', /^Build 1 passed in \d+ s$/);
  assert.equal((await fetch(last?.target_url ?? '')).status, 200);

  await github.openPullRequest('acme/shop', { number: 1, commit, branch: 'patch', fork: true });
  await terraform.run(['destroy', '-auto-approve']);
  assert.deepEqual([keys.size, hooks.size], [0, 0]);
});

test('applied as plain HCL: what was changed at GitHub by hand is seen by plan and set right', async () => {
  const { keys, hooks } = await github.addRepository('acme/tools');
  await clone('acme/tools').then((sample) => sample.push('First'));
  const folder = join(root, 'hcl');
  await cp(resolve('examples/github/hcl'), folder, { recursive: true });
  const terraform = terraformIn(folder, 'acme/tools', {
    TF_VAR_github_url: github.url,
    TF_VAR_github_ssh_address: github.sshAddress,
  });
  await terraform.run(['init']);
  await terraform.run(['apply', '-auto-approve']);
  const planned = async () => (await terraform.run(['plan', '-detailed-exitcode'], [0, 2])).code;
  assert.equal(await planned(), 0);
  for (const change of [
    () => Object.assign([...hooks.values()][0] ?? {}, { active: false }),
    () => Object.assign([...hooks.values()][0] ?? {}, { events: ['push'] }),
    () => Object.assign([...hooks.values()][0]?.config ?? {}, { url: 'https://elsewhere.example.com/' }),
    () => Object.assign([...hooks.values()][0]?.config ?? {}, { insecure_ssl: '1' }),
    () => void delete [...hooks.values()][0]?.config.secret,
    () => hooks.clear(),
    () => keys.clear(),
  ]) {
    change();
    assert.equal(await planned(), 2, String(change));
    await terraform.run(['apply', '-auto-approve']);
    assert.equal(await planned(), 0, String(change));
    assert.equal(hooks.size, 1, String(change));
  }
  const [hook] = hooks.values();
  assert.deepEqual([hook?.active, hook?.events], [true, ['push', 'pull_request']]);
  await terraform.run(['destroy', '-auto-approve']);
  assert.deepEqual([keys.size, hooks.size], [0, 0]);
});
