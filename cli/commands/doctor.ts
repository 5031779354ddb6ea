import { Argument, Command } from 'commander';
import { examineApi } from '../doctor/examine-api.ts';
import { examineRunner } from '../doctor/examine-runner.ts';
import type { Finding } from '../doctor/finding.ts';

const examine = { api: examineApi, runner: examineRunner };

/** `ebb doctor`: what an operator left open. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description(
      'Name what is left open where ebb api or ebb runner would run with this environment: what, why it matters, how to close it. Changes nothing and shows no secret. The exit code is 1 when something is of severity high.',
    )
    .addArgument(new Argument('<process>', 'whose configuration is read').choices(['api', 'runner']))
    .option('--json', 'print the findings as JSON')
    .action(async (name: keyof typeof examine, options: { json?: true }) => {
      const findings = await examine[name](process.env);
      console.log(options.json ? JSON.stringify({ findings }) : told(findings));
      process.exitCode = findings.some(({ severity }) => severity === 'high') ? 1 : 0;
    });
}

function told(findings: Finding[]): string {
  if (findings.length === 0) return 'ebb: nothing is left open';
  const paragraphs = findings.map(({ code, severity, what, why, fix }) =>
    [`${severity.padEnd(6)}  ${what} [${code}]`, `        Why: ${why}`, `        Fix: ${fix}`].join('\n'),
  );
  return paragraphs.join('\n\n');
}
