import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { isInstalled } from './system-packages.ts';

/** Checks that need no running part, then all tests. Resolves with the exit code. */
export async function main(): Promise<number> {
  const checks = [
    ['types', 'tsc', '--pretty'],
    ['format and lint', 'biome', 'ci', '--error-on-warnings', '.'],
    ['room boundaries', 'depcruise', '--config', 'setup/rooms.cjs', ...rooms],
    ['dead code', 'knip', '--no-progress'],
  ] as const;
  const results = await Promise.all(checks.map(([name, ...command]) => check(name, command)));
  if (results.includes(false)) return 1;
  const files = globSync('**/*.test.ts', {
    exclude: (name) => name === 'node_modules' || name === '.ebb',
  }).sort();
  // moto is in no distribution, so a machine without it runs all the rest.
  const left = isInstalled('moto_server') ? [] : files.filter((file) => file.endsWith('.moto.test.ts'));
  const notRun = `ebb: NOT RUN, because moto_server is not installed (pip install 'moto[server]'): ${left.join(' ')}`;
  if (left.length > 0) console.log(notRun);
  const chosen = files.filter((file) => !left.includes(file));
  const code = await run(['node', '--test', '--test-concurrency=2', '--test-timeout=600000', ...chosen]);
  if (left.length > 0) console.log(notRun);
  return code;
}

const rooms = ['api', 'cli', 'contract', 'provider', 'queue', 'runner', 'setup', 'stacks', 'test'];

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

async function run(command: readonly string[]): Promise<number> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: 'inherit' });
  return await new Promise((resolve) => child.once('close', (code) => resolve(code ?? 1)));
}
