import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildProvider } from '../release/build-provider.ts';
import { writeCliConfig } from '../release/cli-config.ts';
import { startFakeApi } from './fake-api.ts';
import { runTerraform } from './terraform.ts';

const examples = fileURLToPath(new URL('../../examples/', import.meta.url));
const canary = 'canary-91c4e07d3a';
/** Whoever asks a registry gets an error. */
const noNetwork = { HTTPS_PROXY: 'http://127.0.0.1:1', HTTP_PROXY: 'http://127.0.0.1:1' };

let root: string;
const cliConfig = () => join(root, 'cli.tfrc');
const order = () => ({
  outDir: join(root, 'mirror'),
  cacheDir: join(root, 'cache'),
  signal: AbortSignal.timeout(120_000),
});

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'ebb-examples-'));
  await buildProvider(order());
  await writeCliConfig({ path: cliConfig(), mirrorDir: join(root, 'mirror') });
});
after(() => rm(root, { recursive: true, force: true }));

/** init, apply, an empty plan and destroy, with the executable from the mirror and no network. */
async function liveThrough(t: TestContext, folder: string) {
  const api = await startFakeApi();
  t.after(api.close);
  const environment = {
    TF_CLI_CONFIG_FILE: cliConfig(),
    EBB_ENDPOINT: api.endpoint,
    EBB_API_KEY: api.apiKey,
    TF_VAR_greeting: canary,
    NO_PROXY: '127.0.0.1',
    ...noNetwork,
  };
  const succeed = async (...words: string[]) => {
    const { code, output } = await runTerraform([...words, '-no-color'], folder, environment);
    assert.equal(code, 0, output);
  };
  await succeed('init');
  await succeed('apply', '-auto-approve');
  const kinds = [...api.items.keys()].map((id) => id.split('_')[0]).sort();
  assert.deepEqual(kinds, ['conn', 'dk', 'hook', 'prj', 'sec']);
  assert.ok(!(await readFile(join(folder, 'terraform.tfstate'))).includes(canary));
  await succeed('plan', '-detailed-exitcode');
  const hookMade = api.requests.findIndex((line) => line.startsWith('POST /v1/hook-bindings'));
  const lastMade = api.requests.findLastIndex((line) => line.startsWith('POST'));
  assert.equal(hookMade, lastMade, 'the hook must be bound when everything else is in place');
  await succeed('destroy', '-auto-approve');
  assert.equal(api.items.size, 0);
}

test('the quickstart is synthesized and lives through apply, an empty plan and destroy', async (t) => {
  const folder = join(root, 'quickstart');
  await mkdir(folder);
  await promisify(execFile)(process.execPath, [join(examples, 'quickstart/main.ts')], { cwd: folder });
  await liveThrough(t, join(folder, 'cdktf.out/stacks/quickstart'));
});

test('the example in HCL lives through the same', async (t) => {
  const folder = join(root, 'hcl');
  await cp(join(examples, 'hcl'), folder, { recursive: true });
  await liveThrough(t, folder);
});

/** The grant alone, on a project that is there already. */
async function grantAccess(t: TestContext, folder: string) {
  const api = await startFakeApi();
  t.after(api.close);
  const projectId = `prj_${'0'.repeat(26)}`;
  api.items.set(projectId, { ...declaredProject, id: projectId });
  const environment = {
    ...{ TF_CLI_CONFIG_FILE: cliConfig(), EBB_ENDPOINT: api.endpoint, EBB_API_KEY: api.apiKey },
    ...{ TF_VAR_project: 'acme/shop', TF_VAR_notify: '["ada@example.com"]', NO_PROXY: '127.0.0.1' },
    ...noNetwork,
  };
  const succeed = async (until: string, ...words: string[]) => {
    const { code, output } = await runTerraform([...words, '-no-color'], folder, {
      ...environment,
      TF_VAR_until: until,
    });
    assert.equal(code, 0, output);
  };
  const [until, later] = ['2026-11-02T12:00:00Z', '2026-11-03T12:00:00Z'] as const;
  await succeed(until, 'init');
  await succeed(until, 'apply', '-auto-approve');
  const grant = [...api.items.values()].find(({ id }) => id.startsWith('grant_'));
  assert.partialDeepStrictEqual(grant, { project_id: projectId, ends_at: until });
  await succeed(until, 'plan', '-detailed-exitcode');
  await succeed(later, 'apply', '-auto-approve');
  assert.equal(api.requests.at(-1), `PATCH /v1/access-grants/${grant?.id} {"ends_at":"${later}"}`);
  await succeed(later, 'destroy', '-auto-approve');
  assert.deepEqual([...api.items.keys()], [projectId]);
}

const declaredProject = {
  ...{ team: 'acme', created_at: '2026-11-01T12:00:00Z', connection_id: `conn_${'0'.repeat(26)}` },
  ...{ name: 'shop', repository: 'shop', default_branch: 'main', setup: [], test: [], deploy: [] },
  ...{ environment: {}, timeout_minutes: 60, concurrency: 1, image: 'base', memory_mib: 1024 },
  cancel_intermediate_builds: 'none',
};

test('support access is synthesized, given for a day, prolonged and taken back', async (t) => {
  const folder = join(root, 'support-access');
  await mkdir(folder);
  await promisify(execFile)(process.execPath, [join(examples, 'support-access/main.ts')], { cwd: folder });
  await grantAccess(t, join(folder, 'cdktf.out/stacks/support-access'));
});

test('support access in HCL is given, prolonged and taken back alike', async (t) => {
  const folder = join(root, 'support-access-hcl');
  await cp(join(examples, 'support-access/hcl'), folder, { recursive: true });
  await grantAccess(t, folder);
});

/** A token that is in no file, whatever takes it. */
async function handOnToken(t: TestContext, folder: string) {
  const api = await startFakeApi();
  t.after(api.close);
  const environment = {
    ...{ TF_CLI_CONFIG_FILE: cliConfig(), EBB_ENDPOINT: api.endpoint, EBB_API_KEY: api.apiKey },
    ...{ TF_VAR_url: 'git@git.example.com:shop.git', NO_PROXY: '127.0.0.1' },
    ...noNetwork,
  };
  const succeed = async (...words: string[]) => {
    const { code, output } = await runTerraform([...words, '-no-color'], folder, environment);
    assert.equal(code, 0, output);
  };
  await succeed('init');
  await succeed('apply', '-auto-approve');
  const token = /"value":"([^"]+)"/.exec(
    api.requests.find((line) => line.includes('BUILDS_TOKEN')) ?? '',
  )?.[1];
  assert.ok(token);
  assert.ok(!(await readFile(join(folder, 'terraform.tfstate'))).includes(token));
  assert.ok(api.requests.includes('POST /v1/token/revoke'));
  await succeed('plan', '-detailed-exitcode');
  await succeed('destroy', '-auto-approve');
  assert.equal(api.items.size, 0);
}

test('a token is synthesized, handed on, revoked, and in no state', async (t) => {
  const folder = join(root, 'token');
  await mkdir(folder);
  await promisify(execFile)(process.execPath, [join(examples, 'token/main.ts')], { cwd: folder });
  await handOnToken(t, join(folder, 'cdktf.out/stacks/token'));
});

test('a token in HCL is handed on and revoked alike', async (t) => {
  const folder = join(root, 'token-hcl');
  await cp(join(examples, 'token/hcl'), folder, { recursive: true });
  await handOnToken(t, folder);
});

test('the provider is not built again from the same sources', async () => {
  const steps: string[] = [];
  const { cached, executable } = await buildProvider({ ...order(), onProgress: (step) => steps.push(step) });
  assert.ok(cached);
  assert.deepEqual(steps, []);
  assert.ok((await stat(executable)).mode & 0o100);
});

test('an executable leaves NODE_OPTIONS to others', async () => {
  const { executable } = await buildProvider(order());
  await assert.rejects(
    promisify(execFile)(executable, [], { env: { NODE_OPTIONS: '--require /nowhere/else.js' } }),
    { code: 1, stderr: /^This is a Terraform provider/ },
  );
});

test('an executable that was started by hand says what it is', async () => {
  const { executable } = await buildProvider(order());
  await assert.rejects(promisify(execFile)(executable, [], { env: {} }), {
    code: 1,
    stderr: /^This is a Terraform provider/,
  });
});
