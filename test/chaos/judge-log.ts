import { printedLine } from './commands.ts';
import type { ProjectUnderTest } from './teams.ts';

const attemptLine = /^ebb: attempt (\d+): waiting for a fresh VM$/;

/**
 * What is wrong with the log of a build, as sentences. No line that a command printed comes twice, nor does the beginning
 * of an attempt; of a build that passed the last attempt is there whole and in order. Pure.
 */
export function judgeLog(
  log: string,
  { id, passed, prints }: { id: string; passed: boolean; prints: ProjectUnderTest['prints'] },
): string[] {
  const lines = log.split('\n');
  const unique = lines.filter((line) => printedLine.test(line) || attemptLine.test(line));
  const seen = new Set<string>();
  const twice = unique.filter((line) => seen.has(line) || !seen.add(line));
  const wrong = twice.map((line) => `the log of ${id} has twice: ${line}`);
  return passed ? [...wrong, ...judgeLastAttempt(lines, id, prints)] : wrong;
}

function judgeLastAttempt(lines: string[], id: string, prints: ProjectUnderTest['prints']): string[] {
  const from = lines.findLastIndex((line) => attemptLine.test(line));
  const last = lines.slice(from);
  const rows = last.flatMap((line) => {
    const found = printedLine.exec(line);
    return found ? [found] : [];
  });
  const machines = new Set(rows.map((row) => row[5]));
  const builds = new Set(rows.map((row) => row[4]));
  const got = rows.map((row) => `${row[1]} ${row[2]}/${row[3]}`).join(', ');
  const wanted = prints
    .flatMap(({ name, lines: count }) =>
      Array.from({ length: count }, (_, index) => `${name} ${index + 1}/${count}`),
    )
    .join(', ');
  return [
    ...(got === wanted ? [] : [`the log of ${id}, which passed, has ${got} and not ${wanted}`]),
    ...(machines.size === 1 ? [] : [`the last attempt of ${id} printed on ${[...machines].join(', ')}`]),
    ...(builds.size === 1 && builds.has(id)
      ? []
      : [`the log of ${id} has lines of ${[...builds].join(', ')}`]),
    ...(last.filter((line) => line === 'ebb: passed').length === 1
      ? []
      : [`the last attempt in the log of ${id} does not say once that it passed`]),
  ];
}
