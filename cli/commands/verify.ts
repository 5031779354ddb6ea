import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { printable } from '../printable.ts';
import { readPublicKeys } from '../public-keys.ts';
import { type FileVerdict, verifyFile } from '../verify/verify-file.ts';
import { verifyAuditCommand } from './verify-audit.ts';

interface Options {
  jwks?: string;
  log?: string;
  image?: string;
  json?: true;
}

/** `ebb verify FILE`: checks receipts, and says what it checked, without trusting anybody. */
export function verifyCommand(): Command {
  return new Command('verify')
    .description(
      'Check receipts: who signed them, that nothing was changed, and that what they state is complete, in order and fits together. Says every check; the exit code is 1 when one fails.',
    )
    .argument('<file>', 'envelope, receipt, list of receipts or JSON Lines; - for standard input')
    .option(
      '--jwks <file>',
      "file with Ebb's public keys (/.well-known/jwks.json); without it they are asked of EBB_ENDPOINT",
    )
    .option('--log <file>', 'the log of the build, to be compared with what its provenance says of it')
    .option(
      '--image <file>',
      'the unified kernel image (*.efi) that the VM booted, to be compared with the registers of a measured boot',
    )
    .option('--json', 'print the checks as JSON')
    .action(async (path: string, options: Options) => {
      const text = await readText(path);
      const verdict = verifyFile(text, {
        jwks: await readPublicKeys(options.jwks),
        ...(options.log ? { log: await readFile(options.log) } : {}),
        ...(options.image ? { image: await readFile(options.image) } : {}),
      });
      if (verdict.findings.length === 0) throw new CliError(`${path} holds no receipt.`);
      if (options.json) console.log(JSON.stringify(verdict));
      else show(verdict);
      process.exitCode = verdict.ok ? 0 : 1;
    })
    .enablePositionalOptions()
    .addCommand(verifyAuditCommand());
}

function show({ ok, findings }: FileVerdict): void {
  const width = Math.max(...findings.flatMap(({ checks }) => checks.map(({ name }) => name.length)));
  for (const { title, checks, says } of findings) {
    console.log(printable(title));
    for (const check of checks)
      console.log(`  ${check.ok ? '✔' : '✖'} ${check.name.padEnd(width)}  ${printable(check.detail)}`);
    for (const line of says) console.log(`    ${printable(line)}`);
  }
  console.log(
    ok ? conclusion(findings) : 'It does not hold; what comes after the failed check was not looked at.',
  );
}

function conclusion(findings: FileVerdict['findings']): string {
  const told = findings.flatMap(({ checks, says }) => [...checks.map(({ detail }) => detail), ...says]);
  return told.some((line) => line.includes('NOT CONFIRMED'))
    ? 'Everything holds, but for what is NOT CONFIRMED: nobody saw that.'
    : 'Everything holds.';
}

async function readText(path: string): Promise<string> {
  if (path !== '-') return await readFile(path, 'utf8').catch(cannotRead(path));
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function cannotRead(path: string) {
  return (error: NodeJS.ErrnoException): never => {
    throw new CliError(`${path} cannot be read (${error.code}).`);
  };
}
