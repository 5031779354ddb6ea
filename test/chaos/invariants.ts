import { readFile } from 'node:fs/promises';
import type { Database } from '../../api/db/database.ts';
import type { Inflicted } from './cause-chaos.ts';
import type { Accepted } from './create-builds.ts';
import { readHistory } from './history.ts';
import { judgeEnd } from './judge-end.ts';
import { judgeLog } from './judge-log.ts';
import { judgePast } from './judge-past.ts';

// Of all builds; what is lost thrice or in its deployment is the user's to look after.
const erroredShare = 0.1;

/**
 * What must be true of builds after chaos and is not, as sentences.
 *
 * @param happened.ledger file with a line for each deployment
 */
export async function brokenPromises(
  database: Database,
  happened: { accepted: Accepted[]; inflicted: Inflicted[]; ledger: string },
): Promise<string[]> {
  const { accepted, inflicted } = happened;
  const [history, deployments] = [await readHistory(database), await readLedger(happened.ledger)];
  const rows = await database.selectFrom('build').select(['id', 'state', 'reason', 'losses']).execute();
  const byId = new Map(rows.map((row) => [row.id, row]));
  const wrong: string[] = [];
  for (const { id, project, cancelled } of accepted) {
    const [row, past] = [byId.get(id), history.get(id) ?? []];
    if (!row) wrong.push(`${id} was accepted and is not in the database`);
    if (!row) continue;
    const state = past.at(-1)?.state;
    if (state !== row.state) wrong.push(`${id} is ${row.state}, and came to ${state}`);
    const about = { project, cancelled, past, deployments: deployments.get(id) ?? 0 };
    wrong.push(...judgePast(id, past), ...judgeEnd({ ...row, ...about }, inflicted));
    wrong.push(...judgeLog(await logOf(id, project), { id, state: row.state, prints: project.prints }));
  }
  const known = new Set(accepted.map(({ id }) => id));
  const untold = rows.filter(({ id }) => !known.has(id));
  const errored = rows.filter(({ state }) => state === 'errored');
  return [
    ...wrong,
    ...untold.map(({ id }) => `${id} was made and nobody was told of it`),
    ...(errored.length <= Math.max(2, rows.length * erroredShare)
      ? []
      : [`${errored.length} of ${rows.length} builds ended errored`]),
    ...(await vmsUsedTogether(database)),
  ];
}

async function logOf(id: string, { client }: Accepted['project']): Promise<string> {
  const answer = await client.stream(`/v1/builds/${id}/log`, {}, AbortSignal.timeout(30_000));
  return await answer.text();
}

async function vmsUsedTogether(database: Database): Promise<string[]> {
  const uses = await database.selectFrom('vm_use').select(['vm', 'build_id', 'attempt']).execute();
  const perAttempt = Map.groupBy(uses, ({ build_id, attempt }) => `attempt ${attempt} of ${build_id}`);
  return [...perAttempt]
    .filter(([, vms]) => vms.length > 1)
    .map(([what, vms]) => `${what} had ${vms.map(({ vm }) => vm).join(' and ')}`);
}

/** How often each build deployed. */
async function readLedger(file: string): Promise<Map<string, number>> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
  return new Map([...Map.groupBy(lines, (line) => line)].map(([build, times]) => [build, times.length]));
}
