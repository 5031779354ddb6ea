import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Command } from 'commander';
import type { SignedAuditHead } from '../../contract/audit.ts';
import { CliError } from '../cli-error.ts';
import { clientFromEnvironment } from '../client.ts';

const idleMs = 60_000;

/** `ebb audit`: what a team keeps so that nobody can change its past. */
export function auditCommand(): Command {
  const command = new Command('audit').description(
    "Export the team's audit trail, or its signed head. Check them with ebb verify audit.",
  );
  command
    .command('export')
    .description('Write the whole trail to standard output: JSON Lines, oldest entry first, the head last.')
    .action(async () => {
      const idle = new AbortController();
      const timer = setTimeout(() => idle.abort(), idleMs);
      try {
        const client = clientFromEnvironment(process.env);
        const { body } = await client.stream('/v1/audit-events/export', {}, idle.signal);
        if (!body) return;
        const chunks = async function* (source: AsyncIterable<Uint8Array>) {
          for await (const chunk of source) {
            timer.refresh();
            yield chunk;
          }
        };
        await pipeline(Readable.fromWeb(body), chunks, process.stdout, { end: false });
      } catch (error) {
        if (error instanceof CliError) throw error;
        throw new CliError(`The export broke off (${(error as Error).message}). Start it again.`);
      } finally {
        clearTimeout(timer);
      }
    });
  command
    .command('head')
    .description(
      'Print the signed head of the trail as it is now; keep it where nobody at Ebb can change it.',
    )
    .action(async () => {
      const head = await clientFromEnvironment(process.env).get<SignedAuditHead>('/v1/audit-head');
      console.log(JSON.stringify(head));
    });
  return command;
}
