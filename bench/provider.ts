import { fork } from 'node:child_process';
import { globSync } from 'node:fs';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runTerraform } from '../provider/acceptance/terraform.ts';
import { createClient } from '../provider/client/client.ts';
import { hasMember } from '../provider/client/send.ts';
import { buildProvider } from '../provider/release/build-provider.ts';
import { writeCliConfig } from '../provider/release/cli-config.ts';
import { makeExecutable } from '../provider/release/executable.ts';
import { findTerraformMirror } from '../test/terraform-mirror.ts';
import { watchPeakMemory } from './peak-memory.ts';
import { startTimes } from './provider-start.ts';
import { type Measure, median, report, rounded } from './report.ts';

// What the provider costs: its start, and plan and apply of many projects beside as many `terraform_data` of the same
// shape. The executable is what ships; the API is one in memory that answers at once.
const sizes = (process.env.EBB_BENCH_SIZES ?? '1,100,1000').split(',').map(Number);
const rounds = Number(process.env.EBB_BENCH_ROUNDS ?? 3);
const parallelism = 10;
const bench = 'provider';
const [targetStartMs, targetMemoryMb] = [80, 150];

const root = await mkdtemp(join(tmpdir(), 'ebb-bench-provider-'));
const closing: (() => Promise<unknown>)[] = [() => rm(root, { recursive: true, force: true })];
const signal = AbortSignal.timeout(1_800_000);
try {
  const mirror = join(root, 'mirror');
  const { executable } = await buildProvider({
    ...{ outDir: mirror, cacheDir: resolve('.ebb', 'cache', 'provider'), signal },
  });
  const cliConfig = join(root, 'cli.tfrc');
  await writeCliConfig({ path: cliConfig, mirrorDir: mirror });
  const measures = [...(await startMeasures(executable)), await sizeMeasure(executable)];
  const api = await startApi();
  const memory = watchPeakMemory('terraform-provider-ebb_v');
  for (const size of sizes) measures.push(...(await lifeMeasures(size, api, cliConfig)));
  const peak = memory.stop();
  measures.push({
    ...{ bench, measure: `peak memory of the provider, up to ${sizes.at(-1)} projects` },
    ...{ value: rounded(peak, 0), unit: 'MB', against: null, ratio: null },
    ...{ target: `<= ${targetMemoryMb} MB`, met: peak <= targetMemoryMb },
  });
  report(measures);
} finally {
  while (closing.length > 0) await closing.pop()?.();
}

async function startMeasures(executable: string): Promise<Measure[]> {
  const own = median(await startTimes(executable, [], 15));
  const aws = awsProvider();
  const peer = aws === undefined ? undefined : median(await startTimes(aws, [], 5));
  const empty = median(await startTimes(await emptyExecutable(), [], 15));
  return [
    {
      ...{
        bench,
        measure: 'start of the executable to its handshake, median',
        value: rounded(own),
        unit: 'ms',
      },
      against: `hashicorp/aws: ${peer === undefined ? 'not on this machine' : `${rounded(peer)} ms`}; the same Node.js with an empty program: ${rounded(empty)} ms`,
      ratio: peer === undefined ? null : rounded(own / peer),
      ...{ target: `<= ${targetStartMs} ms`, met: own <= targetStartMs },
    },
  ];
}

/** What no program in this Node.js can be faster than. */
async function emptyExecutable(): Promise<string> {
  const folder = join(root, 'empty');
  await mkdir(folder);
  const program = "process.stdout.write('started\\n'); setInterval(() => {}, 60_000);";
  return await makeExecutable(Buffer.from(program), folder, signal);
}

function awsProvider(): string | undefined {
  const mirror = findTerraformMirror('hashicorp/aws');
  return (
    mirror && globSync(join(mirror, 'registry.terraform.io/hashicorp/aws/*/*/terraform-provider-aws_*'))[0]
  );
}

async function sizeMeasure(executable: string): Promise<Measure> {
  const megabytes = (await stat(executable)).size / 1e6;
  return {
    ...{ bench, measure: 'size of the executable', value: rounded(megabytes, 1), unit: 'MB' },
    ...{ against: null, ratio: null, target: 'none', met: true },
  };
}

async function startApi(): Promise<{ endpoint: string; apiKey: string }> {
  const child = fork(fileURLToPath(new URL('fake-api-server.ts', import.meta.url)));
  closing.push(async () => {
    const gone = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await gone;
  });
  return await new Promise((told) => child.once('message', (message) => told(message as never)));
}

/** Apply and then plan of `size` projects, and the same of the floor; the plan reads each project once. */
async function lifeMeasures(
  size: number,
  api: { endpoint: string; apiKey: string },
  cliConfig: string,
): Promise<Measure[]> {
  const environment = { TF_CLI_CONFIG_FILE: cliConfig, EBB_ENDPOINT: api.endpoint, EBB_API_KEY: api.apiKey };
  const ours = await life(`projects-${size}`, projects(size), environment);
  const floor = await life(`floor-${size}`, nothings(size), environment);
  const reading = await readingSeconds(size, api);
  const allowed = 1.5 * floor.plan + reading;
  return [
    {
      ...{ bench, measure: `plan of ${size} existing projects`, value: rounded(ours.plan), unit: 's' },
      against: `terraform_data: ${rounded(floor.plan)} s; ${size} bare GETs, ${parallelism} at a time: ${rounded(reading)} s`,
      ratio: rounded(ours.plan / floor.plan),
      ...{ target: `<= 1.5 x floor + GETs = ${rounded(allowed)} s`, met: ours.plan <= allowed },
    },
    {
      ...{ bench, measure: `apply of ${size} new projects`, value: rounded(ours.apply), unit: 's' },
      ...{ against: `terraform_data: ${rounded(floor.apply)} s`, ratio: rounded(ours.apply / floor.apply) },
      ...{ target: 'none', met: true },
    },
  ];
}

async function life(name: string, configuration: string, environment: Record<string, string>) {
  const folder = join(root, name);
  await mkdir(folder);
  await writeFile(join(folder, 'main.tf'), configuration);
  const timed = async (...words: string[]) => {
    const started = performance.now();
    const { code, output } = await runTerraform([...words, '-no-color'], folder, environment);
    if (code !== 0) throw new Error(output);
    return (performance.now() - started) / 1000;
  };
  await timed('init');
  const apply = await timed('apply', '-auto-approve', `-parallelism=${parallelism}`);
  const plans: number[] = [];
  for (let round = 0; round < rounds; round += 1)
    plans.push(await timed('plan', `-parallelism=${parallelism}`));
  const plan = median(plans);
  await timed('destroy', '-auto-approve', `-parallelism=${parallelism}`);
  return { apply, plan };
}

/** As many GETs of a project as a plan makes, through the provider's own client and nothing else. */
async function readingSeconds(size: number, api: { endpoint: string; apiKey: string }): Promise<number> {
  const client = createClient({ ...api, userAgent: 'bench', signal });
  const isAnswer = hasMember('id');
  const post = (path: string, body: object) =>
    client.request({ method: 'POST', path, body: JSON.stringify(body), isAnswer });
  const name = `reading-${size}`;
  const connection = JSON.parse((await post('/v1/connections', { name, kind: 'local' })).text);
  const made = await post('/v1/projects', { connection_id: connection.id, name, repository: name });
  const path = `/v1/projects/${JSON.parse(made.text).id}`;
  let left = size;
  const started = performance.now();
  const reader = async () => {
    while (left-- > 0) await client.request({ method: 'GET', path, isAnswer });
  };
  await Promise.all(Array.from({ length: parallelism }, reader));
  return (performance.now() - started) / 1000;
}

function projects(size: number): string {
  return `
terraform {
  required_providers {
    ebb = { source = "ebb-ci/ebb", version = "0.1.0" }
  }
}
provider "ebb" {}
resource "ebb_connection" "local" {
  name = "local-${size}"
  kind = "local"
}
resource "ebb_project" "all" {
  count         = ${size}
  connection_id = ebb_connection.local.id
  name          = "shop-\${count.index}"
  repository    = "shop-\${count.index}"
  test          = ["./test.sh"]
  environment   = { REGION = "eu" }
}
`;
}

function nothings(size: number): string {
  return `
resource "terraform_data" "connection" {
  input = { name = "local-${size}", kind = "local" }
}
resource "terraform_data" "all" {
  count = ${size}
  input = {
    connection_id = terraform_data.connection.id
    name          = "shop-\${count.index}"
    repository    = "shop-\${count.index}"
    test          = ["./test.sh"]
    environment   = { REGION = "eu" }
  }
}
`;
}
