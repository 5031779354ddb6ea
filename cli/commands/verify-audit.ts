import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { linesOf } from '../lines.ts';
import { parseJson, readPublicKeys } from '../public-keys.ts';
import { describeAudit } from '../verify/describe-audit.ts';
import { verifyAudit } from '../verify/verify-audit.ts';

interface Options {
  jwks?: string;
  head: string[];
}

/** `ebb verify audit FILE`: checks an exported audit trail, offline and in constant memory. */
export function verifyAuditCommand(): Command {
  return new Command('audit')
    .description(
      'Check an audit trail that ebb audit export wrote: that nothing in it was edited, left out, added or moved.',
    )
    .argument('<trail>', 'file with the trail (JSON Lines), or - for standard input')
    .option(
      '--jwks <file>',
      "file with Ebb's public keys (/.well-known/jwks.json); without it they are asked of EBB_ENDPOINT",
    )
    .option(
      '--head <file>',
      'a head that you kept (ebb audit head), or a receipt that carries one; it must lie on the trail; may be given several times',
      (file: string, files: string[]) => [...files, file],
      [],
    )
    .action(async (path: string, options: Options) => {
      const keptHeads = await Promise.all(
        options.head.map(async (file) => parseJson(await readFile(file, 'utf8'), file)),
      );
      const jwks = await readPublicKeys(options.jwks);
      const input = path === '-' ? process.stdin : createReadStream(path);
      const verdict = await verifyAudit(linesOf(input), { jwks, keptHeads });
      if (!verdict.ok) throw new CliError(`The audit trail does not hold: ${verdict.problem}`);
      console.log('The audit trail holds.');
      for (const line of describeAudit(verdict.summary)) console.log(`  ${line}`);
    });
}
