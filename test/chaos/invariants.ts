import { readFile } from 'node:fs/promises';
import type { Database } from '../../api/db/database.ts';
import { finalStates } from '../../contract/build.ts';
import type { Accepted } from './create-builds.ts';
import { readHistory, type Transition } from './history.ts';
import { judgeLog } from './judge-log.ts';

const maxAttempts = 3;

/** What must be true of builds after chaos and is not, as sentences. */
export async function brokenPromises(
  database: Database,
  accepted: Accepted[],
  ledgerFile: string,
): Promise<string[]> {
  const [history, deployments] = [await readHistory(database), await readLedger(ledgerFile)];
  const wrong: string[] = [];
  for (const build of accepted) {
    const past = history.get(build.id) ?? [];
    wrong.push(...judgePast(build.id, past));
    wrong.push(...judgeDeployments(build, past.at(-1), deployments.get(build.id) ?? 0));
    wrong.push(...judgeOutcome(build, past.at(-1)));
    wrong.push(...(await judgeLogOf(build, past.at(-1))));
  }
  return [...wrong, ...(await judgeRows(database, accepted))];
}

function judgePast(id: string, past: Transition[]): string[] {
  const ends = past.filter(({ state }) => finalStates.includes(state));
  const told = past.map(({ state, attempt }) => `${state} (${attempt})`).join(', ');
  const last = past.at(-1);
  return [
    ...(ends.length === 1 && ends[0] === last ? [] : [`${id} did not come to one end: ${told}`]),
    ...(past.every(({ attempt }) => attempt <= maxAttempts) ? [] : [`${id} was tried too often: ${told}`]),
  ];
}

function judgeDeployments({ id, project }: Accepted, last: Transition | undefined, times: number): string[] {
  if (times > 1) return [`${id} deployed ${times} times`];
  if (!project.deploys && times > 0) return [`${id} deployed, and its project does not`];
  if (project.deploys && last?.state === 'passed' && times !== 1)
    return [`${id} passed without its deployment`];
  return [];
}

/** Nobody's commands take so long that time runs out, and who did not cancel is not cancelled. */
function judgeOutcome({ id, project, cancelled }: Accepted, last: Transition | undefined): string[] {
  const state = last?.state;
  const may = ['errored', project.fails ? 'failed' : 'passed', ...(cancelled ? ['cancelled'] : [])];
  return may.includes(state ?? '') ? [] : [`${id} ended ${state}, but may end ${may.join(', ')} only`];
}

async function judgeLogOf({ id, project }: Accepted, last: Transition | undefined): Promise<string[]> {
  const { client } = project;
  const answer = await client.stream(`/v1/builds/${id}/log`, {}, AbortSignal.timeout(30_000));
  return judgeLog(await answer.text(), { id, passed: last?.state === 'passed', prints: project.prints });
}

/** What the database says of all builds, those included whose creation nobody was told of. */
async function judgeRows(database: Database, accepted: Accepted[]): Promise<string[]> {
  const uses = await database.selectFrom('vm_use').select(['vm', 'build_id', 'attempt']).execute();
  const perAttempt = Map.groupBy(uses, ({ build_id, attempt }) => `attempt ${attempt} of ${build_id}`);
  const several = [...perAttempt].filter(([, vms]) => vms.length > 1);
  const rows = await database.selectFrom('build').select('id').execute();
  const known = new Set(accepted.map(({ id }) => id));
  return [
    ...several.map(([what, vms]) => `${what} had ${vms.map(({ vm }) => vm).join(' and ')}`),
    ...rows.filter(({ id }) => !known.has(id)).map(({ id }) => `${id} was made and nobody was told of it`),
    ...(rows.length >= known.size ? [] : ['a build that was accepted is not in the database']),
  ];
}

/** How often each build deployed. */
async function readLedger(file: string): Promise<Map<string, number>> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
  return new Map([...Map.groupBy(lines, (line) => line)].map(([build, times]) => [build, times.length]));
}

/** How many builds ended how, and at which attempt: what a run was worth. */
export async function summary(database: Database): Promise<string> {
  const rows = await database.selectFrom('build').select(['state', 'attempt', 'reason']).execute();
  const count = (of: (row: (typeof rows)[number]) => string | number) =>
    [...Map.groupBy(rows, of)]
      .map(([what, found]) => `${found.length} ${what}`)
      .sort()
      .join(', ');
  const errored = rows.filter(({ state }) => state === 'errored');
  return [
    `states: ${count(({ state }) => state)}`,
    `attempts: ${count(({ attempt }) => `at ${attempt}`)}`,
    ...new Set(errored.map(({ reason }) => `errored: ${reason}`)),
  ].join('\n');
}
