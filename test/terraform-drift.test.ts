import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Project } from '../contract/project.ts';
import type { Workspace } from '../provider/acceptance/terraform.ts';
import {
  endsClean,
  explains,
  startTerraformSetting,
  succeeds,
  type TerraformSetting,
} from './terraform-setting.ts';

let setting: TerraformSetting;
let workspace: Workspace;

before(async () => {
  setting = await startTerraformSetting(AbortSignal.timeout(300_000));
  setting.makeRepositories('shop', 'store');
  workspace = await setting.workspace();
  await workspace.write(configuration());
  await succeeds(workspace, 'apply', '-auto-approve');
});

after(() => setting?.close());

/** A project with a key and a secret. */
function configuration({ repository = 'shop', minutes = 30, lifecycle = '' } = {}): string {
  return `
resource "ebb_connection" "local" {
  name = "local"
  kind = "local"
}
resource "ebb_project" "shop" {
  connection_id   = ebb_connection.local.id
  name            = "shop"
  repository      = "${repository}"
  timeout_minutes = ${minutes}
  lifecycle {
    ${lifecycle}
  }
}
resource "ebb_deploy_key" "shop" {
  project_id = ebb_project.shop.id
}
resource "ebb_secret" "token" {
  project_id       = ebb_project.shop.id
  name             = "TOKEN"
  phases           = ["test"]
  value_wo         = "any"
  value_wo_version = 1
}
`;
}

/** Does something at the API behind Terraform's back. */
async function behindItsBack(method: 'PATCH' | 'DELETE', path: string, body?: object): Promise<void> {
  const { client, url } = setting.api;
  const response = await fetch(`${url}${path}`, {
    ...{ method, headers: { authorization: `Bearer ${await client.token()}` } },
    ...(body && {
      body: JSON.stringify(body),
      headers: { authorization: `Bearer ${await client.token()}`, 'content-type': 'application/json' },
    }),
  });
  assert.ok(response.ok, await response.text());
}

async function only<T>(path: string): Promise<T> {
  const { items } = await setting.api.client.get<{ items: T[] }>(path);
  const [item] = items;
  assert.ok(item && items.length === 1, path);
  return item;
}

const project = () => only<Project>('/v1/projects');

/** A plan that is to change something; resolves to what it printed. */
async function plansChanges(...words: string[]): Promise<string> {
  const { code, output } = await workspace.terraform('plan', '-detailed-exitcode', '-no-color', ...words);
  assert.equal(code, 2, output);
  return output;
}

test('what others changed at the API is shown and put right', async () => {
  await behindItsBack('PATCH', `/v1/projects/${(await project()).id}`, { timeout_minutes: 90 });
  const { id } = await only<{ id: string }>('/v1/secrets');
  await behindItsBack('PATCH', `/v1/secrets/${id}`, { phases: ['deploy'] });
  const shown = await plansChanges();
  assert.match(shown, /timeout_minutes += 90 -> 30/);
  assert.match(shown, /- "deploy"[\s\S]*\+ "test"|\+ "test"[\s\S]*- "deploy"/);
  await endsClean(workspace);
  assert.equal((await project()).timeout_minutes, 30);
});

test('what others deleted is planned and made anew', async () => {
  for (const path of ['/v1/secrets', '/v1/deploy-keys']) {
    const { id } = await only<{ id: string }>(path);
    await behindItsBack('DELETE', `${path}/${id}`);
  }
  assert.match(await plansChanges(), /Plan: 2 to add, 0 to change, 0 to destroy/);
  await endsClean(workspace);
});

test('a plan that was saved before somebody else changed the same is refused with what to do', async () => {
  await workspace.write(configuration({ minutes: 45 }));
  await plansChanges('-out=saved');
  await behindItsBack('PATCH', `/v1/projects/${(await project()).id}`, { timeout_minutes: 90 });
  const told = await explains(workspace, 'apply', 'saved');
  assert.match(
    told,
    /was changed or deleted by somebody else since the plan was made.*run terraform plan again/,
  );
  assert.equal((await project()).timeout_minutes, 90);
  await endsClean(workspace);
  assert.equal((await project()).timeout_minutes, 45);
});

test('what must not be destroyed is not', async () => {
  await workspace.write(configuration({ minutes: 45, lifecycle: 'prevent_destroy = true' }));
  const { id } = await project();
  assert.match(await explains(workspace, 'destroy', '-auto-approve'), /Instance cannot be destroyed/);
  assert.equal((await project()).id, id);
});

test('a replacement that is made first and wants the same name is told what is in its way', async () => {
  const { id } = await project();
  await workspace.write(
    configuration({ repository: 'store', minutes: 45, lifecycle: 'create_before_destroy = true' }),
  );
  const told = await explains(workspace, 'apply', '-auto-approve');
  assert.match(told, /The team has a project shop already/);
  assert.match(
    told,
    /with create_before_destroy, the old one is still there: remove create_before_destroy, or choose another name/,
  );
  assert.equal((await project()).id, id);
  await workspace.write(configuration({ repository: 'store', minutes: 45 }));
  await endsClean(workspace);
  assert.equal((await project()).repository, 'store');
});
