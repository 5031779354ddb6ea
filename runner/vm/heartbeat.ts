import { PassThrough } from 'node:stream';
import type { SshSession } from '../ssh/connection.ts';

const intervalMs = 5_000;

/** Tells the VM again and again that its runner lives, over a connection as root, until it is stopped. */
export function keepAlive(connection: SshSession): { stop(): void } {
  const beats = new PassThrough();
  beats.write('\n');
  const timer = setInterval(() => beats.write('\n'), intervalMs);
  const stop = () => {
    clearInterval(timer);
    beats.end();
  };
  // Without heartbeat the VM ends itself, and whoever uses it sees that.
  connection.exec('/usr/lib/ebb/heartbeat', { stdin: beats }).then(stop, stop);
  return { stop };
}
