import { spawn, spawnSync } from 'node:child_process';
import { CliError } from '../cli-error.ts';

/** Terraform or OpenTofu in one folder. */
export interface Terraform {
  /** Runs a command and gives its output; throws a CliError with the output unless it exits with one of `expected`. */
  run(args: string[], expected?: number[]): Promise<{ code: number; output: string }>;
}

const defaultTimeoutMs = 5 * 60_000;

export function createTerraform(options: {
  folder: string;
  environment: Record<string, string>;
  /** For each command; five minutes when left out. */
  timeoutMs?: number;
  signal: AbortSignal;
}): Terraform {
  const program = ['terraform', 'tofu'].find(
    (name) => !spawnSync(name, ['version'], { stdio: 'ignore' }).error,
  );
  if (!program) throw new CliError('Neither terraform nor tofu is on the PATH. Install one of them.');
  const { PATH = '', HOME = '' } = process.env;
  return {
    async run(args, expected = [0]) {
      const child = spawn(program, [...args, '-no-color'], {
        cwd: options.folder,
        env: {
          PATH,
          HOME,
          CHECKPOINT_DISABLE: '1',
          TF_IN_AUTOMATION: '1',
          TF_INPUT: '0',
          ...options.environment,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
        signal: AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs ?? defaultTimeoutMs)]),
        killSignal: 'SIGINT',
      });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
      const code = await new Promise<number>((resolve, reject) => {
        child.once('error', reject);
        child.once('close', (status) => resolve(status ?? 1));
      });
      if (!expected.includes(code))
        throw new CliError(`${program} ${args.join(' ')} exited with ${code}:\n${output.trim()}`);
      return { code, output };
    },
  };
}
