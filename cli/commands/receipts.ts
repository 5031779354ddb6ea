import { Command } from 'commander';
import type { Receipt } from '../../contract/receipt.ts';
import { CliError } from '../cli-error.ts';
import { clientFromEnvironment } from '../client.ts';
import { findProject } from '../find-by-name.ts';

interface ReceiptPage {
  items: Receipt[];
  next_cursor: string | null;
}

/** `ebb receipts SUBJECT`: receipts as JSON Lines, as `ebb verify` takes them. */
export function receiptsCommand(): Command {
  return new Command('receipts')
    .description('Print the receipts of a build or a project, one JSON object a line, for ebb verify.')
    .argument(
      '<subject>',
      'id of a build (bld_…), or team/project or the id of a project (prj_…) for all that it ever had',
    )
    .action(async (name: string) => {
      const client = clientFromEnvironment(process.env);
      const subject = name.includes('/') ? (await findProject(client, name)).id : name;
      const id = encodeURIComponent(subject);
      const path = subject.startsWith('bld_')
        ? `/v1/builds/${id}/receipts?`
        : `/v1/receipts?project_id=${id}&`;
      let found = 0;
      for (let cursor: string | null = ''; cursor !== null; ) {
        const page: ReceiptPage = await client.get(
          cursor === '' ? path.slice(0, -1) : `${path}cursor=${cursor}`,
        );
        for (const receipt of page.items) console.log(JSON.stringify(receipt));
        found += page.items.length;
        cursor = page.next_cursor;
      }
      if (found === 0) {
        throw new CliError(
          `There is no receipt of ${name}. If that is the right name: one is signed when a VM is gone, or a revocation done.`,
        );
      }
    });
}
