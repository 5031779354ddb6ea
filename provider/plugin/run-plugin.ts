import { HandshakeError, handshakeLine, readHandshake } from './handshake.ts';
import { listenAddress } from './listen-address.ts';
import { createLog, logLevel } from './log.ts';
import type { Provider } from './provider.ts';
import { startServer } from './server.ts';

type Environment = { readonly [name: string]: string | undefined };

const orphanCheckMilliseconds = 1000;

/**
 * Runs the process as a Terraform plugin until Terraform ends it or is gone. Without Terraform it prints why and sets
 * exit code 1.
 */
export async function runPlugin<Client>(provider: Provider<Client>, environment: Environment): Promise<void> {
  const log = createLog((line) => process.stderr.write(line), { level: logLevel(environment) });
  try {
    const { clientCertificate } = readHandshake(environment);
    // Nobody reads any more: logged as an error, it would fail again, and so on.
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
    // What a handler throws becomes a diagnostic; this is for what nobody awaits.
    process.on('uncaughtException', (error) => log.error('uncaught', { stack: error.stack }));
    // Terraform gets the same signal, and tells the provider by StopProvider what to do.
    process.on('SIGINT', () => log.debug('interrupt ignored'));
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const address = listenAddress(environment);
    process.once('exit', address.remove);
    const server = await startServer({
      provider,
      clientCertificate,
      log,
      listenAt: address,
      onShutdown: end,
    });
    whenOrphaned(end);
    process.on('SIGTERM', end);
    process.stdout.write(handshakeLine(address.network, server.address, server.certificate));
    await ended;
    await server.close();
    process.exit(0);
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

/** A killed Terraform cannot say goodbye: its plugin is then adopted by another process. */
function whenOrphaned(orphaned: () => void): void {
  const parent = process.ppid;
  const isOrphan = () => process.ppid !== parent || !isAlive(parent);
  setInterval(() => isOrphan() && orphaned(), orphanCheckMilliseconds).unref();
}

/** On Windows a process keeps the number of its parent when that is gone. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
