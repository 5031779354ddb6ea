import { setTimeout as delay } from 'node:timers/promises';
import type { Receipt } from '../../contract/receipt.ts';
import { CliError } from '../cli-error.ts';
import type { Client } from '../client.ts';
import { verifyFile } from '../verify/verify-file.ts';
import type { Narrator } from './narrator.ts';

const patienceMs = 10_000;

/** What somebody takes along to check a build later, without Ebb. */
export interface BuildReceipts {
  receipts: Receipt[];
  jwks: unknown;
  log: string;
}

/** Fetches the receipts of a build that is over, its log and the public keys, and shows what checking them finds. */
export async function showBuildReceipts(
  client: Client,
  build: string,
  narrator: Narrator,
): Promise<BuildReceipts> {
  const receipts = await whenSigned(client, build);
  const jwks = await client.get<unknown>('/.well-known/jwks.json');
  const log = await client.stream(`/v1/builds/${build}/log`, {}, AbortSignal.timeout(30_000));
  const taken = { receipts, jwks, log: await log.text() };
  const { findings } = verifyFile(JSON.stringify(receipts), { jwks, log: Buffer.from(taken.log) });
  for (const { title, checks } of findings) {
    narrator.line(title);
    for (const { name, ok, detail } of checks) narrator.line(`  ${ok ? '✔' : '✖'} ${name}: ${detail}`);
  }
  return taken;
}

/** They are signed in the moment after the VM is gone. */
async function whenSigned(client: Client, build: string): Promise<Receipt[]> {
  for (const until = Date.now() + patienceMs; Date.now() < until; await delay(50)) {
    const { items } = await client.get<{ items: Receipt[] }>(`/v1/builds/${build}/receipts`);
    if (items.length > 0) return items;
  }
  throw new CliError(`The build ${build} left no receipts.`);
}
