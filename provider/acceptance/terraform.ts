import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleProvider } from '../release/executable.ts';

export interface TerraformRun {
  code: number;
  /** Standard output and standard error. */
  output: string;
}

/** Terraform at work. Its code is -1 when it was killed. */
export interface TerraformProcess {
  pid: number;
  done: Promise<TerraformRun>;
}

/** A folder with a configuration, and the real Terraform run in it with the provider bundled from its sources. */
export interface Workspace {
  folder: string;
  write(configuration: string): Promise<void>;
  read(file: string): Promise<Buffer>;
  terraform(...words: string[]): Promise<TerraformRun>;
  /** Starts Terraform, for a test that interrupts or kills it. */
  start(...words: string[]): TerraformProcess;
  remove(): Promise<void>;
}

/** Starts three times as fast as the sources, and is what ships. */
const bundle = bundleProvider();
const commandTimeoutMilliseconds = 120_000;

const providerBlock = `
terraform {
  required_providers {
    ebb = {
      source = "ebb-ci/ebb"
    }
  }
}
`;

export async function createWorkspace(environment: Record<string, string>): Promise<Workspace> {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-provider-'));
  const binaries = join(folder, 'bin');
  await mkdir(binaries);
  const launcher = join(binaries, 'terraform-provider-ebb');
  const program = join(binaries, 'provider.cjs');
  await writeFile(program, await bundle);
  await writeFile(launcher, `#!/bin/sh\nexec "${process.execPath}" "${program}"\n`);
  await chmod(launcher, 0o755);
  const cliConfig = join(folder, 'cli.tfrc');
  const overrides = `provider_installation {\n  dev_overrides {\n    "ebb-ci/ebb" = "${binaries}"\n  }\n  direct {}\n}\n`;
  await writeFile(cliConfig, overrides);
  const variables = { TF_CLI_CONFIG_FILE: cliConfig, TF_DATA_DIR: join(folder, 'data'), ...environment };
  return {
    folder,
    write: (configuration) => writeFile(join(folder, 'main.tf'), providerBlock + configuration),
    read: (file) => readFile(join(folder, file)),
    terraform: (...words) => runTerraform(words, folder, variables),
    start: (...words) => startTerraform(words, folder, variables),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** What Terraform printed, without the frame of its messages and its line breaks. */
export function flat(output: string): string {
  return output.replace(/[│╷╵]/g, ' ').replace(/\s+/g, ' ');
}

/** Runs Terraform in a folder, with nothing of this process's environment but the path. */
export async function runTerraform(
  words: string[],
  cwd: string,
  environment: Record<string, string>,
): Promise<TerraformRun> {
  const run = await startTerraform(words, cwd, environment).done;
  if (run.code === killed) throw new Error(`Terraform was killed, or took too long.\n${run.output}`);
  return run;
}

const killed = -1;

function startTerraform(words: string[], cwd: string, environment: Record<string, string>): TerraformProcess {
  const env = {
    PATH: process.env.PATH,
    HOME: cwd,
    CHECKPOINT_DISABLE: '1',
    TF_IN_AUTOMATION: '1',
    ...environment,
  };
  const options = { cwd, env, timeout: commandTimeoutMilliseconds, maxBuffer: 64 * 1024 * 1024 };
  const { promise: done, resolve, reject } = Promise.withResolvers<TerraformRun>();
  const child = execFile('terraform', words, options, (error, stdout, stderr) => {
    if (typeof error?.code === 'string') return reject(error);
    resolve({ code: error ? (error.code ?? killed) : 0, output: stdout + stderr });
  });
  return { pid: child.pid ?? 0, done };
}
