import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { parseJson, readPublicKeys } from '../public-keys.ts';
import { describeReceipt, verifyReceipt } from '../verify/verify-receipt.ts';
import { verifyAuditCommand } from './verify-audit.ts';

/** `ebb verify FILE`: checks a receipt's signature and content, without trusting anybody. */
export function verifyCommand(): Command {
  return new Command('verify')
    .description(
      'Check a receipt: that it was signed by this Ebb, and that what it states is complete and in order.',
    )
    .argument('<receipt>', 'file with the receipt (JSON), or - for standard input')
    .option(
      '--jwks <file>',
      "file with Ebb's public keys (/.well-known/jwks.json); without it they are asked of EBB_ENDPOINT",
    )
    .action(async (path: string, options: { jwks?: string }) => {
      const receipt = parseJson(path === '-' ? await readInput() : await readFile(path, 'utf8'), path);
      const jwks = await readPublicKeys(options.jwks);
      const verdict = verifyReceipt({ envelope: receipt.envelope ?? receipt, jwks });
      if (!verdict.ok) throw new CliError(`The receipt does not hold: ${verdict.problem}`);
      console.log(`The receipt holds. Signed with key ${verdict.keyid}.`);
      for (const line of describeReceipt(verdict.statement)) console.log(`  ${line}`);
    })
    .enablePositionalOptions()
    .addCommand(verifyAuditCommand());
}

async function readInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
