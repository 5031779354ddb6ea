import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { findTerraformMirror } from '../test/terraform-mirror.ts';
import { auditPackages } from './packages/audit-packages.ts';
import { isInstalled } from './system-packages.ts';

const longestRunMs = 75 * 60_000;

/** Checks that need no running part, then all tests. Resolves with the exit code. */
export async function main(): Promise<number> {
  const checks = [
    ['types', 'tsc', '--pretty'],
    ['format and lint', 'biome', 'ci', '--error-on-warnings', '.'],
    ['room boundaries', 'depcruise', '--config', 'setup/rooms.cjs', ...rooms],
    ['dead code', 'knip', '--no-progress'],
    ['lock and licenses of packages', 'node', 'setup/packages/check.ts'],
  ] as const;
  const notRun: string[] = [];
  const results = await Promise.all([
    ...checks.map(([name, ...command]) => check(name, command)),
    checkAdvisories(notRun),
  ]);
  if (results.includes(false)) return 1;
  const files = globSync('**/*.test.ts', {
    exclude: (name) => name === 'node_modules' || name === '.ebb',
  }).sort();
  // What is in no distribution: a machine without it runs all the rest, and says so.
  const absent = needs.filter(({ isThere }) => !isThere());
  for (const { part, what } of absent) {
    const left = files.filter((file) => file.includes(part));
    notRun.push(`ebb: NOT RUN, because ${what}: ${left.join(' ')}`);
  }
  for (const line of notRun) console.log(line);
  const chosen = files.filter((file) => !absent.some(({ part }) => file.includes(part)));
  const code = await run(['node', '--test', '--test-concurrency=2', '--test-timeout=600000', ...chosen]);
  for (const line of notRun) console.log(line);
  return code;
}

const needs = [
  {
    part: '.moto.',
    what: "moto_server is not installed (pip install 'moto[server]')",
    isThere: () => isInstalled('moto_server'),
  },
  {
    part: '.aws.',
    what: 'there is no filesystem mirror of Terraform with hashicorp/aws (EBB_TERRAFORM_MIRROR names one)',
    isThere: () => findTerraformMirror('hashicorp/aws') !== undefined,
  },
];

const rooms = ['api', 'bench', 'cli', 'contract', 'provider', 'queue', 'runner', 'setup', 'stacks', 'test'];

/** Prints what a check says only when it fails. */
async function check(name: string, command: readonly string[]): Promise<boolean> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const code = await new Promise((resolve) => child.once('close', resolve));
  console.log(`${code === 0 ? '✔' : '✖'} ${name}`);
  if (code !== 0) console.log(output);
  return code === 0;
}

/** What an offline machine cannot look up is no failure, but is told with what was not run. */
async function checkAdvisories(notRun: string[]): Promise<boolean> {
  const { state, lines } = await auditPackages('.');
  if (state === 'not_checked') notRun.push(...lines.map((line) => `ebb: NOT CHECKED: ${line}`));
  else console.log([`${state === 'clean' ? '✔' : '✖'} known weaknesses of packages`, ...lines].join('\n'));
  return state !== 'found';
}

/** A test file that never ends would hold up all; told to end, node names it in its report. */
async function run(command: readonly string[]): Promise<number> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: 'inherit', timeout: longestRunMs });
  return await new Promise((resolve) => child.once('close', (code) => resolve(code ?? 1)));
}
