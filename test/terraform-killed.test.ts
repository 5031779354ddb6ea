import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { endProcess, isAlive, type ProcessIdentity } from '../contract/process-identity.ts';
import type { TerraformProcess, Workspace } from '../provider/acceptance/terraform.ts';
import { childProcesses } from './child-processes.ts';
import { type FaultyProxy, startFaultyProxy } from './faulty-proxy.ts';
import {
  endsClean,
  explained,
  projectNames,
  projectsConfiguration,
  startTerraformSetting,
  succeeds,
  type TerraformSetting,
} from './terraform-setting.ts';

const signal = AbortSignal.timeout(300_000);
const count = 5;
const names = projectNames(count);
let setting: TerraformSetting;
let proxy: FaultyProxy;
let workspace: Workspace;

before(async () => {
  setting = await startTerraformSetting(signal);
  setting.makeRepositories(...names);
  proxy = await startFaultyProxy(setting.api.url);
  workspace = await setting.workspace({ EBB_ENDPOINT: proxy.url });
  await workspace.write(projectsConfiguration(count));
});

after(async () => {
  await proxy?.goDown();
  await setting?.close();
});

/** Applies, and does something when the creation of this number is asked for; the API carries it out. */
async function atCreation(
  number: number,
  act: (terraform: TerraformProcess, provider: ProcessIdentity) => Promise<void>,
) {
  let seen = 0;
  proxy.meddle(async (line) => {
    if (!line.startsWith('POST /v1/') || line.startsWith('POST /v1/token')) return undefined;
    seen += 1;
    if (seen !== number) return undefined;
    const [provider] = await childProcesses(terraform.pid);
    assert.ok(provider);
    await act(terraform, provider);
    return undefined;
  });
  const terraform = workspace.start('apply', '-auto-approve', '-no-color');
  const run = await terraform.done;
  proxy.meddle(() => undefined);
  assert.ok(seen >= number, run.output);
  return run;
}

/**
 * Applies, and imports what Terraform does not know of as each refusal says, until nothing is refused. Resolves to the
 * types of what was refused.
 */
async function importAsTold(): Promise<string[]> {
  const types = new Set<string>();
  const file = join(workspace.folder, 'imports.tf');
  let blocks = '';
  for (;;) {
    signal.throwIfAborted();
    const { code, output } = await workspace.terraform('apply', '-auto-approve', '-no-color');
    if (code === 0) break;
    const refusals = output.split(/^(?=[│ ]*Error: )/m).slice(1);
    assert.ok(refusals.length > 0, output);
    for (const refusal of refusals) {
      const [, address = ''] = /with (ebb_\S+),/.exec(refusal) ?? [];
      const [, type, id] = /\(terraform import (ebb_\w+)\.NAME (\S+)\)/.exec(explained(refusal)) ?? [];
      assert.ok(id && address.startsWith(`${type}.`), refusal);
      types.add(type ?? '');
      blocks += `import {\n  to = ${address}\n  id = "${id}"\n}\n`;
    }
    await writeFile(file, blocks);
  }
  await rm(file, { force: true });
  await succeeds(workspace, 'plan', '-detailed-exitcode');
  return [...types].sort();
}

async function nothingIsDoubled(): Promise<void> {
  for (const path of ['projects', 'deploy-keys', 'hook-bindings', 'secrets']) {
    const { items } = await setting.api.client.get<{ items: unknown[] }>(`/v1/${path}?limit=200`);
    assert.equal(items.length, count, path);
  }
  for (const name of names) {
    const file = join(setting.api.repositories, `${name}.git`, 'ebb', 'state.json');
    const { deployKeys, hooks } = JSON.parse(await readFile(file, 'utf8'));
    assert.deepEqual([deployKeys.length, hooks.length], [1, 1], name);
  }
}

async function gone(one: ProcessIdentity): Promise<void> {
  while (await isAlive(one)) await sleep(50, undefined, { signal });
}

// Of 21 creations: one of a project, and one of what hangs on the projects.
for (const number of [3, 13]) {
  test(`the provider is killed at creation ${number}: the next apply ends clean, and all is there once`, async () => {
    const { code } = await atCreation(number, (_, provider) => endProcess(provider));
    assert.equal(code, 1);
    await endsClean(workspace);
    await nothingIsDoubled();
    await succeeds(workspace, 'destroy', '-auto-approve');
  });
}

for (const number of [1, 12]) {
  test(`Terraform is killed at creation ${number}: its provider ends, the next apply ends clean, and all is there once`, async () => {
    let orphan: ProcessIdentity | undefined;
    await atCreation(number, async (terraform, provider) => {
      orphan = provider;
      process.kill(terraform.pid, 'SIGKILL');
    });
    assert.ok(orphan);
    await gone(orphan);
    await endsClean(workspace);
    await nothingIsDoubled();
    await succeeds(workspace, 'destroy', '-auto-approve');
  });
}

test('an interrupt ends Terraform with what was done in its state, and the next apply goes on from there', async () => {
  const { code, output } = await atCreation(9, async (terraform) => {
    process.kill(terraform.pid, 'SIGINT');
  });
  assert.equal(code, 1);
  assert.match(explained(output), /Interrupt received/);
  await endsClean(workspace);
  await nothingIsDoubled();
});

test('a state that was lost is made again by importing as told, whatever the kind of resource', async () => {
  await rm(join(workspace.folder, 'terraform.tfstate'));
  const types = ['ebb_connection', 'ebb_deploy_key', 'ebb_hook_binding', 'ebb_project', 'ebb_secret'];
  assert.deepEqual(await importAsTold(), types);
  await nothingIsDoubled();
});
