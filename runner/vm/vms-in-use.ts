import type { LiveVm } from './live-vm.ts';
import type { VmPool } from './pool.ts';

/** Keeps account of the VMs that a pool handed out, from then until they are ended. */
export function trackVms(pool: VmPool): { pool: VmPool; inUse: Map<string, LiveVm> } {
  const inUse = new Map<string, LiveVm>();
  const take: VmPool['take'] = async (wanted) => {
    const live = await pool.take(wanted);
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
  return { pool: { ...pool, take }, inUse };
}
