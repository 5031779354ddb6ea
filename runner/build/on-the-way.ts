import { mayGive } from '../vm/pool/status.ts';
import type { VmPool } from '../vm/pool.ts';

/** A build that is claimed, from before the claim until it has asked for its VM. */
export interface OnTheWay {
  /** The pool that it asks. */
  pool: VmPool;
  /** It asks for none, or has. Twice is once. */
  arrived(): void;
}

/** Sends builds to a pool, and no more than may get a VM while boots fail: the pool knows only those that have arrived. */
export function createWayTo(pool: VmPool): { begin(): OnTheWay | undefined } {
  let count = 0;
  return {
    begin() {
      if (!mayGive(pool.status(), count)) return undefined;
      count += 1;
      let travels = true;
      const arrived = () => {
        if (travels) count -= 1;
        travels = false;
      };
      const take: VmPool['take'] = (wanted) => {
        const taken = pool.take(wanted);
        arrived();
        return taken;
      };
      return { pool: { ...pool, take }, arrived };
    },
  };
}
