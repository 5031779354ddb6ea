import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import type { Receipt } from '../../contract/receipt.ts';
import type { Revocation } from '../../contract/revocation.ts';
import { CliError } from '../cli-error.ts';
import { type Client, clientFromEnvironment } from '../client.ts';
import { findId } from '../find-by-name.ts';
import { printable } from '../printable.ts';

interface Options {
  removedByHand?: true;
  output?: string;
}

const pollMs = 1_000;

/** `ebb revoke project|connection|team`: ends it, follows that to its end, and stores the receipt. */
export function revokeCommand(): Command {
  const command = new Command('revoke').description(
    'Revoke a project, a connection with its projects, or the whole team, and store the signed receipt.',
  );
  for (const kind of ['project', 'connection'] as const) {
    add(command, kind, `team/${kind}, its name alone, or its id`, async (client, name, body) => {
      const id = await findId(client, kind, name);
      return await client.post<Revocation>(`/v1/${kind}s/${encodeURIComponent(id)}/revoke`, body);
    });
  }
  add(
    command,
    'team',
    'name of the team that the API key belongs to, again, so that no slip ends a team',
    async (client, name, body) => await client.post<Revocation>('/v1/team/revoke', { ...body, name }),
  );
  return command;
}

function add(
  command: Command,
  kind: Revocation['kind'],
  argument: string,
  ask: (client: Client, name: string, body: object) => Promise<Revocation>,
): void {
  command
    .command(kind)
    .description(`Revoke a ${kind} and everything that Ebb holds for it.`)
    .argument('<name>', argument)
    .option(
      '--removed-by-hand',
      'state that hook and deploy key were removed by hand, where the source host does not let Ebb see; the receipt says so',
    )
    .option('-o, --output <file>', 'write the receipt here, for ebb verify')
    .action(async (name: string, options: Options) => {
      const client = clientFromEnvironment(process.env);
      const body = options.removedByHand ? { removed_by_hand: true } : {};
      const finished = await follow(client, await ask(client, name, body));
      console.log(printable(`The ${kind} ${finished.name} is revoked. Receipt: ${finished.receipt_id}`));
      if (options.output) await storeReceipt(client, finished, options.output);
    });
}

/** Waits until it is finished, telling each step once; fails with what holds it up. */
async function follow(client: Client, begun: Revocation): Promise<Revocation> {
  let told = 0;
  for (let now = begun; ; now = await client.get<Revocation>(`/v1/revocations/${begun.id}`)) {
    for (const { step, detail, took_ms } of now.steps.slice(told)) {
      console.log(printable(`${step.replaceAll('_', ' ')} (${took_ms} ms): ${detail}`));
    }
    told = now.steps.length;
    if (now.state === 'finished') return now;
    if (now.state === 'held_up' && now.obstacle) throw new CliError(now.obstacle.detail);
    await sleep(pollMs);
  }
}

async function storeReceipt(client: Client, { receipt_id }: Revocation, path: string): Promise<void> {
  const receipt = await client.get<Receipt>(`/v1/receipts/${receipt_id}`);
  await writeFile(path, `${JSON.stringify(receipt, null, 2)}\n`);
  console.log(`Written to ${path}; ebb verify ${path} checks it.`);
}
