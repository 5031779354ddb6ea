import type { SshSession } from '../../ssh/connection.ts';
import type { Clock } from './clock.ts';

// A loaded machine that emulates its VMs answers within that.
const patienceMs = 10_000;

/** Whether a VM still runs a command that is asked of it over its open connection. */
export async function answers(connection: Pick<SshSession, 'exec'>, clock: Clock): Promise<boolean> {
  const late = new AbortController();
  const done = clock.after(patienceMs, () => late.abort());
  try {
    const { code } = await connection.exec('true', { signal: late.signal });
    return code === 0;
  } catch {
    return false;
  } finally {
    done();
  }
}
