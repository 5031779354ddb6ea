import { setTimeout as delay } from 'node:timers/promises';
import type { BuildSpecification } from '../../contract/runner.ts';
import { isLoopback } from '../../contract/transport-security.ts';
import type { ProjectVault } from '../custody/open.ts';
import { connect } from '../ssh/connection.ts';
import type { LiveVm } from '../vm/pool.ts';
import { BuildEnd, errored } from './build-end.ts';
import type { CustodyLog } from './custody-log.ts';
import { lendDeployKey } from './lend-deploy-key.ts';

const checkoutTimeoutMs = 10 * 60_000;
const unreachable = 10;
const brokenOff = 16;
// A source host that restarts, or fails over, is back by then.
const defaultPausesMs = [5_000, 20_000, 40_000];

export interface CheckoutOptions {
  vm: LiveVm;
  specification: BuildSpecification;
  vault: ProjectVault;
  onOutput(chunk: Buffer): Promise<void>;
  /** Told in a sentence for the team each time when the source host is away and will be tried again. */
  onWait(reason: string): void;
  /** Before each further try of a source host that is away; about a minute in all when absent. */
  pausesMs?: readonly number[] | undefined;
  custody: CustodyLog;
  signal: AbortSignal;
}

/**
 * Puts the commit into the VM with the deploy key that is lent to it for this alone, anew for each try. Throws BuildEnd
 * with a sentence for the team.
 */
export async function checkout(options: CheckoutOptions): Promise<void> {
  const { vm, specification, signal, onWait, pausesMs = defaultPausesMs } = options;
  let fetched = await fetchOnce(options);
  for (const pauseMs of pausesMs) {
    if (fetched.code !== unreachable && fetched.code !== brokenOff) break;
    const what = fetched.code === unreachable ? 'could not be reached' : 'broke the connection off';
    onWait(`the source host ${what}; trying again in ${pauseMs / 1000} s`);
    await delay(pauseMs, undefined, { signal });
    fetched = await fetchOnce(options);
  }
  if (fetched.code !== 0)
    throw new BuildEnd({ outcome: 'errored', reason: explain(fetched.code, specification, fetched.said) });
  const handover = await vm.connection.exec('/usr/lib/ebb/handover', { signal });
  if (handover.code !== 0)
    throw errored('The source could not be handed over inside the VM. Report this to Ebb.');
}

/** How the image's `checkout` ended, and what it said last. */
interface Fetched {
  code: number | null;
  said: string;
}

async function fetchOnce(options: CheckoutOptions): Promise<Fetched> {
  const { vm } = options;
  return await lendDeployKey(options, async (agent, revoke) => {
    // A connection of its own: on this one every command could reach the agent.
    const session = await connect({
      host: vm.vm.host,
      port: vm.vm.port,
      username: 'checkout',
      privateKey: vm.vm.clientKey,
      hostKey: vm.vm.hostKey,
      agent,
      signal: options.signal,
      timeoutMs: 30_000,
    });
    try {
      return await fetchSource(session, options);
    } finally {
      revoke();
      await session.close();
    }
  });
}

async function fetchSource(
  session: Awaited<ReturnType<typeof connect>>,
  options: CheckoutOptions,
): Promise<Fetched> {
  const { specification, vm } = options;
  const { clone } = specification;
  // A host beside the runner, on the machine's loopback, is one that the VM knows by another address.
  const host = isLoopback(clone.host) ? vm.vm.hostAddress : clone.host;
  const fields = [clone.user, host, String(clone.port), clone.path, clone.host_keys.join('\n')];
  const stdin = Buffer.from(
    [...fields, specification.commit, specification.ref].map((field) => `${field}\0`).join(''),
  );
  let said = '';
  const listen = async (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_000);
    await options.onOutput(chunk);
  };
  const tooLong = AbortSignal.timeout(checkoutTimeoutMs);
  const ended = await session
    .exec('/usr/lib/ebb/checkout', {
      stdin,
      onStdout: listen,
      onStderr: listen,
      signal: AbortSignal.any([options.signal, tooLong]),
    })
    .catch((error) => {
      if (!tooLong.aborted || options.signal.aborted) throw error;
      throw errored(
        'The checkout took longer than 10 minutes. Is the repository very large, or its host very slow?',
      );
    });
  return { code: ended.code, said };
}

// It ends what git says of every connection that fails, and tells nothing of why.
const gitsAdvice = ['Please make sure you have the correct access rights', 'and the repository exists.'];

/** What the exit codes of the image's `checkout` mean, and what to do. */
function explain(code: number | null, specification: BuildSpecification, said: string): string {
  const { clone, ref, commit } = specification;
  const where = `${clone.host}:${clone.port}`;
  const last = said
    .split('\n')
    .filter((line) => line.trim() !== '' && !gitsAdvice.includes(line))
    .at(-1);
  switch (code) {
    case unreachable:
      return `The source host ${where} could not be reached from the VM. Check that it is up, then start the build again.`;
    case 11:
      return `The source host ${where} showed another host key than the one pinned in the connection. If the host changed its key, make the connection anew; if not, somebody may be in between.`;
    case 12:
      return `The source host ${where} refused the deploy key. Was it removed there? Run terraform apply to make it anew.`;
    case 13:
      return `The repository ${clone.path} was not found at ${where}. Check the project's repository.`;
    case 14:
      return `Commit ${commit.slice(0, 12)} of ${ref} is not in ${clone.path} any more. Push again.`;
    case brokenOff:
      return `The source host ${where} broke the connection off while the source was fetched, several times (${last ?? 'without a word'}). Check that it is up, then start the build again.`;
    default:
      return `The checkout failed: ${last ?? 'git gave no reason'}.`;
  }
}
