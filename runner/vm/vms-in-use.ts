import type { LiveVm } from './live-vm.ts';
import type { VmPool } from './pool.ts';

/**
 * Keeps account of the VMs that a pool handed out and of those that `track` is given, as when they are taken over, from then
 * until they are ended or left to another runner.
 */
export function trackVms(pool: VmPool): {
  pool: VmPool;
  track: (live: LiveVm) => LiveVm;
  inUse: Map<string, LiveVm>;
} {
  const inUse = new Map<string, LiveVm>();
  const track = (live: LiveVm): LiveVm => {
    const tracked = {
      ...live,
      async end() {
        await live.end();
        inUse.delete(live.vm.id);
      },
      async leave() {
        inUse.delete(live.vm.id);
        await live.leave();
      },
    };
    inUse.set(live.vm.id, tracked);
    return tracked;
  };
  const take: VmPool['take'] = async (wanted) => track(await pool.take(wanted));
  return { pool: { ...pool, take }, track, inUse };
}
