import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Build } from '../../contract/build.ts';
import { buildImage } from '../../runner/image/build-image.ts';
import { findRecipe } from '../../runner/image/recipes.ts';
import { CliError } from '../cli-error.ts';
import { type Client, createClient } from '../client.ts';
import { type DevSystem, startDevSystem } from '../dev/dev-system.ts';
import { pinHostKey } from '../dev/developer-key.ts';
import { installProvider } from '../dev/install-provider.ts';
import { createRepository } from '../dev/repository.ts';
import { createSampleRepository, type SampleRepository } from '../dev/sample-repository.ts';
import { type BuildReceipts, showBuildReceipts } from './build-receipts.ts';
import type { Narrator } from './narrator.ts';
import { followNextBuild } from './next-build.ts';
import { type Revocation, revokeDuringBuild } from './revocation.ts';
import { createTerraform, type Terraform } from './terraform.ts';

const examplePath = fileURLToPath(new URL('../../examples/quickstart/main.ts', import.meta.url));

export interface JourneyOptions {
  /** For everything the journey writes. */
  folder: string;
  cacheDir: string;
  databaseUrl?: string;
  redisUrl?: string;
  /** Of Node.js, for API and runner. */
  nodeOptions?: string[];
  narrator: Narrator;
  signal: AbortSignal;
  /** Called while everything is up, before anything is revoked: a test looks around here. */
  beforeDestroy?(live: LiveJourney): Promise<void>;
}

/** What is there between apply and destroy. */
export interface LiveJourney {
  system: DevSystem;
  client: Client;
  terraformFolder: string;
  projectId: string;
  secret: string;
}

export interface JourneyResult {
  passed: Build;
  failed: Build;
  /** Of the build that passed. */
  receipts: BuildReceipts;
  /** Exit code of `terraform plan -detailed-exitcode` after everything ran. */
  planExitCode: number;
  revocation: Revocation;
}

/**
 * The main job from declaration to revocation, on real parts. Throws when a step does not go as it must; everything
 * it started has ended when it resolves or rejects.
 */
export async function runJourney(options: JourneyOptions): Promise<JourneyResult> {
  const { narrator, signal } = options;
  narrator.step('1/7 Build the ramdisk image and the Terraform provider');
  await narrator.timed('image ready', () => prepareImage(options));
  const terraformConfig = await narrator.timed('provider ready', () =>
    installProvider({ folder: options.folder, signal, onProgress: (line) => narrator.line(line) }),
  );

  narrator.step('2/7 Start Ebb: API, runner, Redis, database, source host');
  const system = await narrator.timed('Ebb is up', () =>
    startDevSystem({ ...options, folder: join(options.folder, 'system'), port: 0 }),
  );
  try {
    narrator.line(`${system.url}, source host on port ${system.source.port}`);
    return await Promise.race([travel(options, system, terraformConfig), system.broken]);
  } finally {
    await narrator.timed('Ebb has stopped', () => system.close());
  }
}

async function prepareImage({ cacheDir, narrator, signal }: JourneyOptions): Promise<void> {
  await buildImage({
    recipe: findRecipe('base'),
    cacheDir: join(cacheDir, 'images'),
    signal,
    onProgress: (line) => narrator.line(line),
  });
}

async function travel(
  options: JourneyOptions,
  system: DevSystem,
  terraformConfig: string,
): Promise<JourneyResult> {
  const { narrator, signal } = options;
  const client = createClient({ endpoint: system.url, apiKey: system.adminKey });
  const repository = await cloneSample(options, system);
  const secret = randomBytes(24).toString('base64url');

  narrator.step('3/7 Declare the project: cdktf synth, terraform init, terraform apply');
  const terraform = await declare(options, system, terraformConfig, secret);
  const outputs = JSON.parse((await terraform.run(['output', '-json'])).output) as {
    project_id: { value: string };
  };
  const projectId = outputs.project_id.value;
  narrator.line(`project ${projectId}`);

  narrator.step('4/7 Push: a commit that passes, then one that breaks a test');
  const passed = await pushAndFollow('Open the shop', 'passed');
  const receipts = await showBuildReceipts(client, passed.id, narrator);
  await repository.edit('prices.csv', (content) => content.replace(/\d+/, '999'));
  const failed = await pushAndFollow('Break a price', 'failed');
  narrator.line(`build #${failed.number} failed: ${failed.failed_command} exited with ${failed.exit_code}`);

  narrator.step('5/7 Plan again: nothing to change');
  const plan = await terraform.run(
    ['plan', '-detailed-exitcode', '-input=false', '-out=again.tfplan'],
    [0, 2],
  );
  if (plan.code !== 0) throw new CliError(`terraform plan sees changes:\n${plan.output}`);
  narrator.line('no changes');

  await options.beforeDestroy?.({
    system,
    client,
    terraformFolder: terraformFolder(options),
    projectId,
    secret,
  });
  narrator.step('6/7 Revoke in the middle of a build: terraform destroy');
  const revocation = await revokeDuringBuild({
    system,
    client,
    repository,
    terraform,
    projectId,
    narrator,
    signal,
  });
  return { passed, failed, receipts, planExitCode: plan.code, revocation };

  async function pushAndFollow(message: string, expected: Build['state']): Promise<Build> {
    const commit = await repository.push(message);
    narrator.line(`pushed ${commit.slice(0, 12)}: ${message}`);
    const build = await followNextBuild({ client, projectId, commit, narrator, signal });
    if (build.state !== expected)
      throw new CliError(`The build should have ${expected} but ${build.state}: ${build.reason}`);
    return build;
  }
}

async function cloneSample(options: JourneyOptions, system: DevSystem): Promise<SampleRepository> {
  await createRepository(system.source.repositories, 'shop');
  await pinHostKey(system.developer, '127.0.0.1', system.source.port, system.source.hostKey);
  return await createSampleRepository({
    folder: join(options.folder, 'shop'),
    url: `ssh://git@127.0.0.1:${system.source.port}/shop.git`,
    sshCommand: system.developer.sshCommand,
  });
}

const terraformFolder = (options: JourneyOptions) =>
  join(options.folder, 'stack', 'cdktf.out', 'stacks', 'quickstart');

async function declare(
  options: JourneyOptions,
  system: DevSystem,
  terraformConfig: string,
  secret: string,
): Promise<Terraform> {
  const { narrator } = options;
  const cwd = join(options.folder, 'stack');
  await mkdir(cwd, { recursive: true });
  await narrator.timed('synthesized', () =>
    promisify(execFile)(process.execPath, [examplePath], { cwd, timeout: 60_000 }),
  );
  const keyFile = join(options.folder, 'admin.key');
  await writeFile(keyFile, system.adminKey, { mode: 0o600 });
  const terraform = createTerraform({
    folder: terraformFolder(options),
    environment: {
      EBB_ENDPOINT: system.url,
      EBB_API_KEY_FILE: keyFile,
      TF_CLI_CONFIG_FILE: terraformConfig,
      TF_VAR_greeting: secret,
    },
    signal: options.signal,
  });
  await narrator.timed('terraform init', () => terraform.run(['init', '-input=false']));
  const apply = await narrator.timed('terraform apply', () =>
    terraform.run(['apply', '-auto-approve', '-input=false']),
  );
  narrator.line(apply.output.match(/Apply complete!.*/)?.[0] ?? 'applied');
  return terraform;
}
