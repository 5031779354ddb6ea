import { setTimeout as delay } from 'node:timers/promises';
import type { Vm, VmExit } from '../driver.ts';
import type { Ec2DriverOptions } from './ec2-driver.ts';
import { type Instance, isEnding, tagNames } from './instance.ts';
import { observeInstance } from './observe-instance.ts';
import { shareInstance } from './take-over-instance.ts';

/** What a VM is apart from its instance. */
type Known = Pick<
  Vm,
  'id' | 'host' | 'port' | 'hostKey' | 'clientKey' | 'hostAddress' | 'memoryMib' | 'cpus' | 'launchedAt'
>;

/** The VM of an instance that runs: watched until it ends, is destroyed or is let go of, or until `closing`. */
export function vmOfInstance(
  options: Ec2DriverOptions,
  parts: { known: Known; recipe: string; instance: Instance; closing: AbortSignal },
): Vm {
  const { known, recipe, instance, closing } = parts;
  let shared = tagNames.shared in instance.tags;
  const gone = Promise.withResolvers<VmExit>();
  const over = new AbortController();
  const forget = () => {
    over.abort();
    known.clientKey.fill(0);
  };
  // Who watches may see the end that was asked for before the one who asked does.
  let killed = false;
  const settle = () => {
    forget();
    gone.resolve({ code: null, signal: killed ? 'SIGKILL' : null });
  };
  void watch(options, instance, AbortSignal.any([over.signal, closing])).then(settle, () => undefined);
  return {
    ...known,
    driver: 'ec2',
    image: instance.image,
    exited: gone.promise,
    consoleTail: () => '',
    observe: (signal) => observeInstance(options, { id: instance.id, recipe }, signal),
    async destroy() {
      killed = true;
      await endInstance(options, instance.id, { unlessAdopted: shared });
      settle();
    },
    share() {
      shared = true;
      return shareInstance(options, known.id, instance.id);
    },
    // It goes on with another runner, and takes nothing of this one any more.
    release: async () => settle(),
  };
}

/** Resolves when the instance has ended by itself, as after a spot interruption. */
async function watch(
  { api, pollMs }: Ec2DriverOptions,
  { id }: Instance,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await delay(pollMs * 10, undefined, { signal });
    const instance = await api.describe(id, signal).catch(() => 'unknown' as const);
    if (instance === undefined || (instance !== 'unknown' && isEnding(instance))) return;
  }
}

/**
 * Ends an instance and looks that it ends. Rejects when patience ends; its dead-man's switch and the reaper remain. With
 * `unlessAdopted` it is left to the runner that owns it by now: this one may have been cut off from all but EC2.
 */
async function endInstance(
  { api, runner, pollMs, endPatienceMs }: Ec2DriverOptions,
  id: string,
  { unlessAdopted }: { unlessAdopted: boolean },
): Promise<void> {
  const patience = AbortSignal.timeout(endPatienceMs);
  for (let pauseMs = pollMs; ; pauseMs = Math.min(pauseMs * 2, 10_000)) {
    try {
      const owner = unlessAdopted && (await api.describe(id, patience))?.tags[tagNames.runner];
      if (owner && owner !== runner) return;
      await api.terminate([id], patience);
      const instance = await api.describe(id, patience);
      if (!instance || isEnding(instance)) return;
    } catch (error) {
      if (patience.aborted) throw error;
    }
    await delay(pauseMs, undefined, { signal: patience });
  }
}
