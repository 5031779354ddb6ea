import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { commit } from '../api/test-client.ts';
import { type Client, createClient } from '../cli/client.ts';
import { createTerraform, type Terraform } from '../cli/demo/terraform.ts';
import { startDevSystem } from '../cli/dev/dev-system.ts';
import { installProvider } from '../cli/dev/install-provider.ts';
import { createRepository } from '../cli/dev/repository.ts';
import { verifyReceipt } from '../cli/verify/verify-receipt.ts';
import type { Build } from '../contract/build.ts';
import type { Receipt } from '../contract/receipt.ts';
import type { RevocationPredicate } from '../contract/receipt-statement.ts';
import { startRedis } from '../queue/test-redis.ts';
import { buildImage } from '../runner/image/build-image.ts';
import { findRecipe } from '../runner/image/recipes.ts';
import { startApi } from '../test/api-for-tests.ts';
import { startPostgres } from '../test/postgres.ts';
import { type Measure, median, report, rounded } from './report.ts';

// How long `terraform destroy` takes, to the last proof that nothing is left: of many projects at once, and of one whose
// build runs on a VM. The floors are `terraform destroy` of as many resources that do nothing, in the same run.
const count = Number(process.env.EBB_BENCH_PROJECTS ?? 200);
const rounds = Number(process.env.EBB_BENCH_ROUNDS ?? 3);
const bench = 'revoke';
const targetSeconds = 5;
const targetEach = 0.25;

const provider = `
terraform {
  required_providers {
    ebb = { source = "ebb-ci/ebb", version = "0.1.0" }
  }
}
provider "ebb" {}
`;
const connection = `
resource "ebb_connection" "local" {
  name = "NAME"
  kind = "local"
}
`;
const projects = (names: string, repository: string) => `${connection}
resource "ebb_project" "all" {
  for_each      = ${names}
  connection_id = ebb_connection.local.id
  name          = each.key
  repository    = ${repository}
  test          = ["sleep 600"]
}
resource "ebb_deploy_key" "all" {
  for_each   = ebb_project.all
  project_id = each.value.id
}
resource "ebb_hook_binding" "all" {
  for_each   = ebb_project.all
  project_id = each.value.id
}
resource "ebb_secret" "all" {
  for_each         = ebb_project.all
  project_id       = each.value.id
  name             = "TOKEN"
  value_wo         = "something secret"
  value_wo_version = 1
}
`;

const root = await mkdtemp(join(tmpdir(), 'ebb-bench-revoke-'));
const signal = AbortSignal.timeout(45 * 60_000);
const closing: (() => Promise<unknown>)[] = [() => rm(root, { recursive: true, force: true })];
try {
  const terraformConfig = await installProvider({ folder: root, signal, onProgress: () => {} });
  const parts = process.env.EBB_BENCH_PARTS ?? 'many,running';
  const measures: Measure[] = [];
  if (parts.includes('many')) measures.push(...(await manyProjects(terraformConfig)));
  if (parts.includes('running')) measures.push(await runningBuild(terraformConfig));
  report(measures);
} finally {
  while (closing.length > 0) await closing.pop()?.();
}

interface Ebb {
  url: string;
  adminKey: string;
  repositories: string;
}

/** A folder with a program, ready to be applied. */
async function stack(ebb: Ebb, terraformConfig: string, name: string, program: string): Promise<Terraform> {
  const folder = join(root, name);
  await mkdir(folder);
  await writeFile(join(folder, 'main.tf'), (provider + program).replace('NAME', name));
  const terraform = createTerraform({
    folder,
    environment: {
      EBB_ENDPOINT: ebb.url,
      EBB_API_KEY: ebb.adminKey,
      TF_CLI_CONFIG_FILE: terraformConfig,
    },
    timeoutMs: 20 * 60_000,
    signal,
  });
  await terraform.run(['init']);
  return terraform;
}

/** The median of some rounds, each with a new project and a new build on a VM. */
async function runningBuild(terraformConfig: string): Promise<Measure> {
  const cacheDir = resolve('.ebb', 'cache');
  const onProgress = (line: string) => console.error(line);
  const recipe = findRecipe('base');
  await buildImage({ recipe, cacheDir: join(cacheDir, 'images'), signal, onProgress });
  const system = await startDevSystem({ folder: join(root, 'system'), cacheDir, port: 0, signal });
  closing.push(system.close);
  const ebb = { url: system.url, adminKey: system.adminKey, repositories: system.source.repositories };
  const client = createClient({ endpoint: ebb.url, apiKey: ebb.adminKey });
  await commit(await createRepository(ebb.repositories, 'shop'));
  const bare: number[] = [];
  const floors: number[] = [];
  const times: number[] = [];
  const ends: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const destroyed = async (name: string, resource: string) => {
      const terraform = await stack(ebb, terraformConfig, name, resource);
      await terraform.run(['apply', '-auto-approve']);
      return await seconds(() => terraform.run(['destroy', '-auto-approve']));
    };
    bare.push(await destroyed(`nothing-${round}`, 'resource "terraform_data" "nothing" {}\n'));
    floors.push(await destroyed(`alone-${round}`, connection));
    const name = `shop-${round}`;
    const terraform = await stack(ebb, terraformConfig, name, projects(`toset(["${name}"])`, '"shop"'));
    await terraform.run(['apply', '-auto-approve']);
    const page = await client.get<{ items: { id: string; name: string }[] }>('/v1/projects?limit=200');
    const projectId = page.items.find((project) => project.name === name)?.id ?? '';
    const build = await client.post<Build>('/v1/builds', { project_id: projectId });
    const vm = await whenItRuns(client, build.id);
    const destroyAndProve = async () => {
      await terraform.run(['destroy', '-auto-approve']);
      ends.push(await assertRevoked(client, projectId));
      await assertNothingAtHost(ebb, 'shop');
      if (await isRunning(vm)) throw new Error(`The process of VM ${vm} is still there.`);
    };
    times.push(await seconds(destroyAndProve));
  }
  const [value, floor] = [median(times), median(floors)];
  return {
    ...{ bench, measure: 'terraform destroy of a project with a running build, to proven gone' },
    ...{ value: rounded(value), unit: 's', ratio: rounded(value / floor) },
    against: `Terraform's own start, destroy of one ebb_connection: ${rounded(floor)} s (of one terraform_data, without the provider: ${rounded(median(bare))} s); the build and its VM ended in ${rounded(median(ends))} s of it`,
    target: `<= ${targetSeconds} s beyond it`,
    met: value - floor <= targetSeconds,
  };
}

/** On PostgreSQL that writes through, without a runner: nothing is built. */
async function manyProjects(terraformConfig: string): Promise<Measure[]> {
  const postgres = await startPostgres(undefined, 'on');
  closing.push(postgres.close);
  const redis = await startRedis();
  closing.push(redis.close);
  const urls = { databaseUrl: postgres.url, redisUrl: redis.url };
  const ebb = await startApi({ folder: join(root, 'api'), ...urls, signal });
  closing.push(() => ebb.stop());
  for (let index = 0; index < count; index += 1) await createRepository(ebb.repositories, `many-${index}`);
  const resources = 4 * count + 1;
  const idle = `resource "terraform_data" "nothing" {\n  count = ${resources}\n}\n`;
  const nothing = await stack(ebb, terraformConfig, 'nothing', idle);
  await nothing.run(['apply', '-auto-approve']);
  const floor = await seconds(() => nothing.run(['destroy', '-auto-approve']));
  const names = `toset([for index in range(${count}) : "many-\${index}"])`;
  const terraform = await stack(ebb, terraformConfig, 'many', projects(names, 'each.key'));
  const applied = await seconds(() => terraform.run(['apply', '-auto-approve']));
  const value = await seconds(() => terraform.run(['destroy', '-auto-approve']));
  const receipts = await revocationReceipts(ebb.client);
  if (receipts !== count) throw new Error(`${receipts} receipts for ${count} projects`);
  for (let index = 0; index < count; index += 1) await assertNothingAtHost(ebb, `many-${index}`);
  const each = (value - floor) / count;
  return [
    {
      ...{ bench, measure: `terraform destroy of ${count} projects, each with key, hook and secret` },
      ...{ value: rounded(value), unit: 's', ratio: rounded(value / floor) },
      against: `terraform destroy of ${resources} terraform_data: ${rounded(floor)} s (apply took ${rounded(applied)} s)`,
      ...{ target: `<= ${targetEach} s a project beyond it`, met: each <= targetEach },
    },
    {
      ...{ bench, measure: 'each of them beyond the floor', value: rounded(each, 3), unit: 's' },
      ...{ against: null, ratio: null, target: `<= ${targetEach} s`, met: each <= targetEach },
    },
  ];
}

/** Whether a QEMU process of this VM is there. */
async function isRunning(vm: string): Promise<boolean> {
  for (const pid of await readdir('/proc')) {
    const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (words.startsWith('qemu-system') && words.includes(vm)) return true;
  }
  return false;
}

async function whenItRuns(client: Client, id: string): Promise<string> {
  for (;;) {
    const { state, reason, vm } = await client.get<Build & { vm: string | null }>(`/v1/builds/${id}`);
    if (state === 'running') return vm ?? '';
    if (!['queued', 'starting'].includes(state)) throw new Error(`The build is ${state}: ${reason}`);
    await sleep(100, undefined, { signal });
  }
}

/** That there is a signed receipt which holds; gives how many seconds the build took to end by it. */
async function assertRevoked(client: Client, projectId: string): Promise<number> {
  const { items } = await client.get<{ items: Receipt[] }>(`/v1/receipts?project_id=${projectId}`);
  const receipt = items.find(({ kind }) => kind === 'revocation');
  const jwks = await client.get('/.well-known/jwks.json');
  const verdict = verifyReceipt({ envelope: receipt?.envelope, jwks });
  if (!verdict.ok) throw new Error(verdict.problem);
  const { steps } = verdict.statement.predicate as RevocationPredicate;
  for (const { step, took_ms } of steps) console.error(`${step}: ${took_ms} ms`);
  return (steps.find(({ step }) => step === 'builds_cancelled')?.took_ms ?? 0) / 1000;
}

async function assertNothingAtHost({ repositories }: Ebb, repository: string): Promise<void> {
  const path = join(repositories, `${repository}.git`, 'ebb', 'state.json');
  const { deployKeys, hooks } = JSON.parse(await readFile(path, 'utf8'));
  if (deployKeys.length + hooks.length > 0) throw new Error(`${repository} still has keys or hooks.`);
}

async function revocationReceipts(client: Client): Promise<number> {
  let found = 0;
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query = cursor === '' ? '' : `&cursor=${cursor}`;
    const page: { items: Receipt[]; next_cursor: string | null } = await client.get(
      `/v1/receipts?limit=200${query}`,
    );
    found += page.items.filter(({ kind }) => kind === 'revocation').length;
    cursor = page.next_cursor;
  }
  return found;
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return (performance.now() - from) / 1000;
}
