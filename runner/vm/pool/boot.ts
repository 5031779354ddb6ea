import { VmError } from '../driver.ts';
import type { LiveVm } from '../live-vm.ts';
import { type Boot, type Line, learnImage, type Taker } from './line.ts';
import { dropReady, endVm, type PoolState, tellOf } from './pool-state.ts';
import { watchWaitingVm } from './waiting-vm.ts';

/** Begins to boot a VM for whoever is first in line when it is there. */
export function startBoot(pool: PoolState, line: Line): void {
  const boot: Boot = {
    stop: new AbortController(),
    since: pool.clock.now(),
    trial: line.breaker.begin(),
  };
  line.boots.add(boot);
  pool.track(bringUp(pool, line, boot).then(pool.turn));
}

/** Gives up a boot that nobody needs. */
export function stopBoot(pool: PoolState, line: Line, boot: Boot): void {
  line.boots.delete(boot);
  pool.ending += 1;
  boot.trial.abandoned();
  boot.stop.abort(new Error('The VM is not needed any more.'));
}

async function bringUp(pool: PoolState, line: Line, boot: Boot): Promise<void> {
  const onWait = (reason: string) => {
    boot.reason = reason;
    for (const taker of line.takers) taker.tell(reason);
  };
  const booted = await pool.boot(line.shape, boot.stop.signal, onWait).catch((error) => ({
    error: error as unknown,
  }));
  if (!line.boots.delete(boot)) {
    pool.ending -= 1;
    if ('vm' in booted) endVm(pool, line, booted);
  } else if ('vm' in booted) arrived(pool, line, boot, booted);
  else failed(pool, line, boot, booted.error);
}

function arrived(pool: PoolState, line: Line, { trial, since }: Boot, live: LiveVm): void {
  const ms = pool.clock.now() - since;
  line.forecast.booted(ms);
  tellOf(pool, line, { type: 'booted', vm: live.vm.id, ms });
  const { clock, random, maxAgeMs } = pool;
  const waiting = watchWaitingVm({
    ...{ live, trial, clock, random, maxAgeMs, onChange: pool.turn },
    onGone(cause) {
      dropReady(pool, line, waiting, cause);
      pool.turn();
    },
  });
  line.ready.push(waiting);
  learnImage(line, live);
}

function failed(pool: PoolState, line: Line, { trial }: Boot, error: unknown): void {
  trial.failed(error);
  tellOf(pool, line, { type: 'boot_failed', error: String(error) });
  const hopeless = error instanceof VmError && error.code === 'setting';
  const tired = ({ since }: Taker) =>
    line.breaker.state() !== 'closed' && pool.clock.now() - since >= pool.patienceMs;
  for (const taker of [...line.takers]) {
    if (hopeless || tired(taker)) taker.reject(error);
  }
}
