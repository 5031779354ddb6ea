import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { sshKeygen } from '../api/deploy-keys/ssh-keygen-for-tests.ts';
import { createTerraform, type Terraform } from '../cli/demo/terraform.ts';
import { installProvider } from '../cli/dev/install-provider.ts';
import { startTerraformSetting, type TerraformSetting } from './terraform-setting.ts';

// Examples as their READMEs have them, at the real API, in HCL and by CDKTF.
const signal = AbortSignal.timeout(400_000);
let root: string;
let setting: TerraformSetting;
let terraformConfig: string;

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'ebb-examples-'));
  terraformConfig = await installProvider({ folder: root, signal, onProgress: () => {} });
  setting = await startTerraformSetting(signal);
  setting.makeRepositories('shop', 'catalog', 'mailer');
});
after(async () => {
  await setting?.close();
  await rm(root, { recursive: true, force: true });
});

const forms = ['HCL', 'CDKTF'] as const;

/** Where the configuration of an example is, as a newcomer would have made it. */
async function folderOf(example: string, form: (typeof forms)[number]): Promise<string> {
  const folder = join(root, `${example}-${form}`);
  await mkdir(folder);
  if (form === 'HCL') {
    await cp(resolve('examples', example, 'hcl'), folder, { recursive: true });
    return folder;
  }
  await promisify(execFile)(process.execPath, [resolve('examples', example, 'main.ts')], { cwd: folder });
  return join(folder, 'cdktf.out', 'stacks', example);
}

function terraformIn(folder: string, variables: Record<string, string>): Terraform {
  const { url: EBB_ENDPOINT, adminKey: EBB_API_KEY } = setting.api;
  const environment = { EBB_ENDPOINT, EBB_API_KEY, TF_CLI_CONFIG_FILE: terraformConfig, ...variables };
  return createTerraform({ folder, environment, signal });
}

async function apply(folder: string, variables: Record<string, string>): Promise<Record<string, string>> {
  const terraform = terraformIn(folder, variables);
  await terraform.run(['apply', '-auto-approve']);
  await terraform.run(['plan', '-detailed-exitcode']);
  return JSON.parse((await terraform.run(['output', '-json', 'fingerprints'])).output);
}

const listed = async (path: string) => (await setting.api.client.get<{ items: object[] }>(path)).items;

for (const form of forms) {
  test(`many projects from a list (${form}): each has its key, hook and secret`, async () => {
    const folder = await folderOf('many-projects', form);
    const variables = { TF_VAR_registry_token: 'canary-5e1f9c70' };
    await terraformIn(folder, variables).run(['init']);
    const fingerprints = await apply(folder, variables);
    assert.deepEqual(Object.keys(fingerprints).sort(), ['catalog', 'mailer', 'shop']);
    for (const path of ['projects', 'deploy-keys', 'secrets', 'hook-bindings']) {
      assert.equal((await listed(`/v1/${path}`)).length, 3, path);
    }
    const state = await readFile(join(folder, 'terraform.tfstate'), 'utf8');
    assert.ok(!state.includes(variables.TF_VAR_registry_token));
    await terraformIn(folder, variables).run(['destroy', '-auto-approve']);
    assert.deepEqual(await listed('/v1/projects'), []);
  });

  test(`another CI without an API key (${form}): its workload is trusted for the project alone, until it is destroyed`, async () => {
    const { client } = setting.api;
    const connection = await client.post<{ id: string }>('/v1/connections', {
      name: form.toLowerCase(),
      kind: 'local',
    });
    const name = `shop-${form.toLowerCase()}`;
    const project = await client.post<{ id: string }>('/v1/projects', {
      ...{ name, repository: 'shop', connection_id: connection.id },
    });
    const folder = await folderOf('workload-identity', form);
    const variables = { TF_VAR_project: `default/${name}`, TF_VAR_repository: 'acme/shop' };
    await terraformIn(folder, variables).run(['init']);
    await terraformIn(folder, variables).run(['apply', '-auto-approve']);
    await terraformIn(folder, variables).run(['plan', '-detailed-exitcode']);
    const [made] = await listed('/v1/workload-identities');
    assert.partialDeepStrictEqual(made, {
      ...{ name: 'release', project_id: project.id, scopes: ['builds:read', 'builds:write'] },
      claims: { sub: 'repo:acme/shop:ref:refs/heads/main' },
    });
    await terraformIn(folder, variables).run(['destroy', '-auto-approve']);
    assert.deepEqual(await listed('/v1/workload-identities'), []);
    await client.post(`/v1/projects/${project.id}/revoke`, {});
  });

  test(`a team and its people (${form}): invited, changed and taken out by the map, and not revoked by a destruction`, async () => {
    const folder = await folderOf('team', form);
    const address = (name: string) => `${name}@${form.toLowerCase()}.example.com`;
    const variables = (people: object) => ({
      ...{ TF_VAR_team: 'default', TF_VAR_people: JSON.stringify(people) },
    });
    const both = variables({ [address('ada')]: 'maintainer', [address('alan')]: 'viewer' });
    await terraformIn(folder, both).run(['init']);
    await terraformIn(folder, both).run(['apply', '-auto-approve']);
    await terraformIn(folder, both).run(['plan', '-detailed-exitcode']);
    const { output } = await terraformIn(folder, both).run(['output', '-json', 'status']);
    assert.deepEqual(JSON.parse(output), { [address('ada')]: 'invited', [address('alan')]: 'invited' });
    assert.partialDeepStrictEqual(await setting.api.client.get('/v1/team'), { limit_by_team: 10 });
    const fewer = variables({ [address('ada')]: 'viewer' });
    await terraformIn(folder, fewer).run(['apply', '-auto-approve']);
    assert.partialDeepStrictEqual(await listed('/v1/team/members'), [
      { email: address('ada'), role: 'viewer' },
    ]);
    await assert.rejects(
      terraformIn(folder, fewer).run(['destroy', '-auto-approve']),
      /deletion_protection is on/,
    );
    await terraformIn(folder, fewer).run(['state', 'rm', 'ebb_team.own']);
    await terraformIn(folder, fewer).run(['destroy', '-auto-approve']);
    assert.deepEqual(await listed('/v1/team/members'), []);
    await setting.api.client.get('/v1/team');
  });

  test(`rotation of keys (${form}): another word makes one, and another version takes the next one along`, async () => {
    const [first, next] = await Promise.all([sshKeygen('ed25519'), sshKeygen('ed25519')]);
    const folder = await folderOf('key-rotation', form);
    const variables = { TF_VAR_catalog_key: first.privateKey };
    await terraformIn(folder, variables).run(['init']);
    const made = await apply(folder, variables);
    assert.equal(made.catalog, first.fingerprint);

    const quarter = { ...variables, TF_VAR_quarter: '2027-Q1' };
    const rotated = await apply(folder, quarter);
    assert.notEqual(rotated.shop, made.shop);
    assert.equal(rotated.catalog, first.fingerprint);

    const brought = { ...quarter, TF_VAR_catalog_key: next.privateKey, TF_VAR_catalog_key_version: '2' };
    assert.deepEqual(await apply(folder, brought), { shop: rotated.shop, catalog: next.fingerprint });
    const state = await readFile(join(folder, 'terraform.tfstate'), 'utf8');
    for (const line of `${first.privateKey}${next.privateKey}`.split('\n').filter((text) => text.length > 40))
      assert.ok(!state.includes(line));
    await terraformIn(folder, brought).run(['destroy', '-auto-approve']);
  });
}
