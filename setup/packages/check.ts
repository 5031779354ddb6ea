import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { licenseProblems } from './license-problems.ts';
import { readLock } from './lock-file.ts';
import { lockProblems } from './lock-problems.ts';

/** Judges the packages that Ebb is made of. Prints what is wrong and ends with 1 when something is. */

const root = join(import.meta.dirname, '..', '..');
const lock = await readLock(root);
const problems = [...lockProblems(lock), ...licenseProblems(lock.packages, saidByItself)];
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;

/** Old packages have a list, which npm does not take over into the lock. */
function saidByItself(path: string): string | undefined {
  try {
    const { license, licenses } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'));
    return license ?? licenses?.map(({ type }: { type: string }) => type).join(' AND ');
  } catch {
    return undefined;
  }
}
