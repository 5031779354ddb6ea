import { readdir, readFile } from 'node:fs/promises';
import { type ProcessIdentity, processIdentity } from '../contract/process-identity.ts';

/** The processes that a process has started and that are at work, by `/proc`. */
export async function childProcesses(parent: number): Promise<ProcessIdentity[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const children = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      // The second field is a name in parentheses that may hold anything; the parent is the fourth.
      const [, found] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(found) === parent ? await processIdentity(Number(pid)) : undefined;
    }),
  );
  return children.filter((child) => child !== undefined);
}
