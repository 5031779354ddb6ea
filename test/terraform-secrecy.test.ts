import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parsePrivateKey } from '../api/deploy-keys/parse-private-key.ts';
import { sshKeygen } from '../api/deploy-keys/ssh-keygen-for-tests.ts';
import { endProcess } from '../contract/process-identity.ts';
import { projectConfiguration } from '../provider/acceptance/setting.ts';
import type { Workspace } from '../provider/acceptance/terraform.ts';
import { unzip } from '../provider/acceptance/unzip.ts';
import { childProcesses } from './child-processes.ts';
import { encodings } from './encodings.ts';
import { startFaultyProxy } from './faulty-proxy.ts';
import { explains, startTerraformSetting, succeeds, type TerraformSetting } from './terraform-setting.ts';

const secret = 'canary-5f2c81d09b-of-a-secret';
const credential = 'canary-77a1e04cd2-of-a-connection';
let setting: TerraformSetting;
let workspace: Workspace;
let key: Awaited<ReturnType<typeof sshKeygen>>;
let proxy: Awaited<ReturnType<typeof startFaultyProxy>>;

before(async () => {
  key = await sshKeygen('ed25519');
  setting = await startTerraformSetting(AbortSignal.timeout(300_000));
  setting.makeRepositories('shop');
  proxy = await startFaultyProxy(setting.api.url);
  workspace = await setting.workspace({
    ...{ EBB_ENDPOINT: proxy.url, TF_LOG: 'trace', TF_LOG_PATH: 'trace.log' },
    ...{ TF_VAR_secret: secret, TF_VAR_credential: credential, TF_VAR_key: key.privateKey },
  });
});

after(async () => {
  await proxy?.goDown();
  await setting?.close();
});

const withSecret = `
variable "secret" {
  type      = string
  ephemeral = true
}
${projectConfiguration('  name = "shop"')}
variable "key" {
  type      = string
  ephemeral = true
}
resource "ebb_deploy_key" "shop" {
  project_id             = ebb_project.shop.id
  private_key_wo         = var.key
  private_key_wo_version = 1
}
ephemeral "ebb_token" "ci" {
  project_id = ebb_project.shop.id
}
resource "ebb_secret" "handed_on" {
  project_id       = ebb_project.shop.id
  name             = "BUILDS_TOKEN"
  value_wo         = ephemeral.ebb_token.ci.token
  value_wo_version = 1
}
resource "ebb_secret" "token" {
  project_id       = ebb_project.shop.id
  name             = "TOKEN"
  value_wo         = var.secret
  value_wo_version = 1
}
`;

const withRefused = (type: string, lines: string) => `
variable "credential" {
  type      = string
  ephemeral = true
}
resource "${type}" "refused" {
${lines}
}
`;

/** Files that hold one of what nobody may find: the secret, the credential, the API key, a token of the API. */
async function leaks(): Promise<string[]> {
  const seed = parsePrivateKey(key.privateKey);
  const hidden = [...[secret, credential, setting.api.adminKey].map((one) => Buffer.from(one)), seed];
  const needles = hidden.flatMap((one) => encodings(one));
  // A line of the key's PEM that is its own.
  needles.push(Buffer.from(key.privateKey.split('\n')[3] ?? assert.fail('the key is short')));
  // The header of a JWT, in base64.
  needles.push(Buffer.from('eyJhbGci'));
  const found: string[] = [];
  const search = (place: string, bytes: Buffer) => {
    if (needles.some((needle) => bytes.includes(needle))) found.push(place);
  };
  const entries = await readdir(workspace.folder, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((one) => one.isFile() && !one.parentPath.endsWith('/bin'))) {
    const bytes = await readFile(join(entry.parentPath, entry.name));
    search(entry.name, bytes);
    if (entry.name === 'saved') {
      for (const [name, content] of unzip(bytes)) search(`${entry.name} (${name})`, content);
    }
  }
  return found;
}

test('a secret is in no plan, state, log or output from its creation to its destruction', async () => {
  await workspace.write(withSecret);
  const planned = await succeeds(workspace, 'plan', '-out=saved');
  const applied = await succeeds(workspace, 'apply', 'saved');
  assert.deepEqual(await leaks(), []);
  const destroyed = await succeeds(workspace, 'destroy', '-auto-approve');
  assert.deepEqual(await leaks(), []);
  for (const output of [planned, applied, destroyed]) assert.ok(!output.includes(secret));
  const log = String(await workspace.read('trace.log'));
  assert.match(log, /ApplyResourceChange/);
});

test('nor is it when the provider is killed while it sends it', async () => {
  let isKilled = false;
  proxy.meddle(async (line) => {
    if (isKilled || !line.startsWith('POST /v1/secrets')) return undefined;
    isKilled = true;
    const [provider] = await childProcesses(terraform.pid);
    assert.ok(provider);
    await endProcess(provider);
    return 'lost_answer';
  });
  const terraform = workspace.start('apply', '-auto-approve', '-no-color');
  const { code, output } = await terraform.done;
  assert.equal(code, 1, output);
  assert.ok(isKilled && !output.includes(secret));
  assert.deepEqual(await leaks(), []);
});

test('a credential or key that is refused is in no diagnostic, state or log', async () => {
  for (const [refused, words] of [
    [
      withRefused(
        'ebb_connection',
        `  name = "other"\n  kind = "github"\n  url = "http://127.0.0.1:1"\n  token_wo = var.credential\n  token_wo_version = 1`,
      ),
      /Cannot create the connection/,
    ],
    [
      withRefused(
        'ebb_deploy_key',
        `  project_id = "${`prj_${'0'.repeat(26)}`}"\n  private_key_wo = var.credential\n  private_key_wo_version = 1`,
      ),
      /Cannot create the deploy key/,
    ],
  ] as const) {
    await workspace.write(refused);
    const told = await explains(workspace, 'apply', '-auto-approve');
    assert.match(told, words);
    assert.ok(!told.includes(credential));
    assert.deepEqual(await leaks(), []);
  }
});
