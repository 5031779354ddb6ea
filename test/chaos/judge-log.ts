import type { BuildState } from '../../contract/build.ts';
import { printedLine } from './commands.ts';
import type { ProjectUnderTest } from './teams.ts';

const attemptLine = /^ebb: attempt (\d+): waiting for a fresh VM$/;

/**
 * What is wrong with the log of a build, as sentences. Each attempt begins once, in its turn, and has the lines of its
 * commands from the first on, once, in order and without a gap, all of one VM; of a build that passed or failed by a command
 * the last attempt has all of them, and tells its end once. Pure.
 */
export function judgeLog(
  log: string,
  { id, state, prints }: { id: string; state: BuildState | undefined; prints: ProjectUnderTest['prints'] },
): string[] {
  const attempts = readAttempts(log.split('\n'));
  const numbers = attempts.map(({ number }) => number);
  const inTurn = numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0));
  const last = attempts.at(-1);
  const whole = state === 'passed' || state === 'failed';
  return [
    ...(inTurn ? [] : [`the log of ${id} has the attempts ${numbers.join(', ')}`]),
    ...attempts.flatMap((attempt) => judgeLines(attempt, id, prints, whole && attempt === last)),
    ...(whole && tells(last, state) !== 1
      ? [`the last attempt in the log of ${id} does not say once that it ${state}`]
      : []),
  ];
}

interface AttemptInLog {
  number: number;
  lines: string[];
}

/** What stands before the first attempt is one, too, with the number 0, when a command printed there. */
function readAttempts(lines: string[]): AttemptInLog[] {
  const attempts: AttemptInLog[] = [{ number: 0, lines: [] }];
  for (const line of lines) {
    const begins = attemptLine.exec(line);
    if (begins) attempts.push({ number: Number(begins[1]), lines: [] });
    else attempts.at(-1)?.lines.push(line);
  }
  return attempts.filter(
    ({ number, lines: own }) => number > 0 || own.some((line) => printedLine.test(line)),
  );
}

function judgeLines(
  { number, lines }: AttemptInLog,
  id: string,
  prints: ProjectUnderTest['prints'],
  whole: boolean,
): string[] {
  const rows = lines.flatMap((line) => {
    const found = printedLine.exec(line);
    return found ? [found] : [];
  });
  const all = prints.flatMap(({ name, lines: count }) =>
    Array.from({ length: count }, (_, index) => `${name} ${index + 1}/${count}`),
  );
  const wanted = whole ? all : all.slice(0, rows.length);
  const got = rows.map((row) => `${row[1]} ${row[2]}/${row[3]}`);
  const machines = new Set(rows.map((row) => row[5]));
  const what = `attempt ${number} in the log of ${id}`;
  return [
    ...(got.join() === wanted.join() ? [] : [`${what} has ${got.join(', ')} and not ${wanted.join(', ')}`]),
    ...(machines.size <= 1 ? [] : [`${what} printed on ${[...machines].join(', ')}`]),
    ...(rows.every((row) => row[4] === id) ? [] : [`${what} has lines of another build`]),
  ];
}

function tells(attempt: AttemptInLog | undefined, state: string): number {
  return (attempt?.lines ?? []).filter(
    (line) => line === `ebb: ${state}` || line.startsWith(`ebb: ${state}:`),
  ).length;
}
